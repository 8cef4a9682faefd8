"""What people read of a decision, in English and in Spanish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afina.evaluate.figures import LANGUAGES, Filled, Language, decimal
from afina.evaluate.statement import Statement

SENTENCES: Mapping[str, tuple[str, str]] = {
    # the rule
    "rule": (
        "Fixed before measuring. Content that changes belongs into documents (RAG); style, rules "
        "and form that stay belong into weights (fine-tuning); a prompt is tried first. NO-GO: a "
        "way without training reaches the goal, or tuning is not shown to be better than every "
        "such way on the same locked rows, or has no prospect of the goal. GO: it is shown, and "
        "the goal is reached or in reach.",
        "Fijada antes de medir. El contenido que cambia va en documentos (RAG); el estilo, las "
        "reglas y la forma que no cambian van en los pesos (afinado); antes se prueba con un "
        "prompt. NO-GO: una vía sin entrenamiento alcanza el objetivo, o no se demuestra que "
        "afinar sea mejor que todas ellas en las mismas filas bloqueadas, o no hay perspectiva de "
        "alcanzar el objetivo. GO: se demuestra, y el objetivo se alcanza o está al alcance.",
    ),
    # reasons
    "simple_solves": (
        "{way} already solves it: {value:score} in {metric} [{low:score}, {high:score}], and the "
        "goal is {bound} {at_least:score}. It needs no language model at all.",
        "{way} ya lo resuelve: {value:score} en {metric} [{low:score}; {high:score}], y el "
        "objetivo es {bound} {at_least:score}. No hace falta ningún modelo de lenguaje.",
    ),
    "prompt_solves": (
        "A prompt is enough: {way} gives {value:score} in {metric} [{low:score}, {high:score}], "
        "and the goal is {bound} {at_least:score}.",
        "Basta un prompt: {way} da {value:score} en {metric} [{low:score}; {high:score}], y el "
        "objetivo es {bound} {at_least:score}.",
    ),
    "documents_solve": (
        "Documents are enough: {way} gives {value:score} in {metric} [{low:score}, {high:score}], "
        "and the goal is {bound} {at_least:score}. New content needs a new document, not a new "
        "training.",
        "Bastan los documentos: {way} da {value:score} en {metric} [{low:score}; {high:score}], y "
        "el objetivo es {bound} {at_least:score}. Un contenido nuevo pide un documento nuevo, no "
        "otro entrenamiento.",
    ),
    "no_trial": (
        "No method of fine-tuning could be tried on this machine, so nothing speaks for it.",
        "No se pudo probar ningún método de afinado en esta máquina, así que nada habla a su favor.",
    ),
    "documents_first": (
        "What the answers say changes {changes}, and weights do not: name the documents that hold "
        "it (retrieval.documents) and decide again.",
        "Lo que dicen las respuestas cambia ({changes}) y los pesos no: indica los documentos que "
        "lo contienen (retrieval.documents) y vuelve a decidir.",
    ),
    "content_changes": (
        "What the answers say changes {changes}: that is for documents. {way} gives {value:score} "
        "in {metric} [{low:score}, {high:score}].",
        "Lo que dicen las respuestas cambia ({changes}): eso es para documentos. {way} da "
        "{value:score} en {metric} [{low:score}; {high:score}].",
    ),
    "combine": (
        "Tuning and documents together are shown to be better than every way without training: "
        "{way} gives {value:score} in {metric}, {other} {other_value:score} ({difference:difference}, "
        "interval {low_difference:difference} to {high_difference:difference}).",
        "Se demuestra que afinado y documentos juntos son mejores que toda vía sin entrenamiento: "
        "{way} da {value:score} en {metric} y {other} {other_value:score} "
        "({difference:difference}, intervalo de {low_difference:difference} a "
        "{high_difference:difference}).",
    ),
    "tune": (
        "Even a trial of {steps:count} steps is shown to be better than every way without "
        "training: {way} gives {value:score} in {metric}, {other}, the best of the others, "
        "{other_value:score} ({difference:difference}, interval {low_difference:difference} to "
        "{high_difference:difference}).",
        "Ya con una prueba de {steps:count} pasos se demuestra que es mejor que toda vía sin "
        "entrenamiento: {way} da {value:score} en {metric} y {other}, la mejor de las demás, "
        "{other_value:score} ({difference:difference}, intervalo de {low_difference:difference} a "
        "{high_difference:difference}).",
    ),
    "tune_likely": (
        "A trial of {steps:count} steps is shown to be better than every way without training, "
        "and the goal ({bound} {at_least:score}) is in reach of a whole run: {way} gives "
        "{value:score} in {metric} [{low:score}, {high:score}], {other} {other_value:score}.",
        "Se demuestra que una prueba de {steps:count} pasos es mejor que toda vía sin "
        "entrenamiento, y el objetivo ({bound} {at_least:score}) está al alcance de una ejecución "
        "entera: {way} da {value:score} en {metric} [{low:score}; {high:score}] y {other} "
        "{other_value:score}.",
    ),
    "tune_short": (
        "Tuning is shown to be better than every way without training, and still falls short of "
        "the goal ({bound} {at_least:score}) with nothing that says a whole run would reach it: "
        "{way} gives {value:score} in {metric} [{low:score}, {high:score}].",
        "Se demuestra que afinar es mejor que toda vía sin entrenamiento, pero no llega al "
        "objetivo ({bound} {at_least:score}) y nada indica que una ejecución entera llegaría: "
        "{way} da {value:score} en {metric} [{low:score}; {high:score}].",
    ),
    "no_gain": (
        "Tuning shows no gain: {way} gives {value:score} in {metric} after {steps:count} steps, "
        "{other} {other_value:score} without training.",
        "Afinar no muestra mejora: {way} da {value:score} en {metric} tras {steps:count} pasos y "
        "{other} {other_value:score} sin entrenamiento.",
    ),
    "not_shown": (
        "Tuning looks better ({way} {value:score}, {other} {other_value:score} in {metric}), and "
        "{rows:count} rows cannot show it.",
        "Afinar parece mejor ({way} {value:score}, {other} {other_value:score} en {metric}), pero "
        "{rows:count} filas no bastan para demostrarlo.",
    ),
    "not_shown_rows": (
        "Tuning looks better ({way} {value:score}, {other} {other_value:score} in {metric}), and "
        "{rows:count} rows cannot show it; about {needed:count} would, if it stays as it is.",
        "Afinar parece mejor ({way} {value:score}, {other} {other_value:score} en {metric}), pero "
        "{rows:count} filas no bastan para demostrarlo; harían falta unas {needed:count} si se "
        "mantiene.",
    ),
    "tune_alone": (
        "No way without training could be measured; {way} reaches the goal: {value:score} in "
        "{metric} [{low:score}, {high:score}].",
        "No se pudo medir ninguna vía sin entrenamiento; {way} alcanza el objetivo: {value:score} "
        "en {metric} [{low:score}; {high:score}].",
    ),
    "tune_alone_short": (
        "No way without training could be measured, and {way} does not reach the goal: "
        "{value:score} in {metric} [{low:score}, {high:score}].",
        "No se pudo medir ninguna vía sin entrenamiento, y {way} no alcanza el objetivo: "
        "{value:score} en {metric} [{low:score}; {high:score}].",
    ),
    # remarks
    "goal_not_sure": (
        "It is not certain that {way} reaches the goal: on {rows:count} rows the interval is "
        "{low:score} to {high:score}.",
        "No es seguro que {way} alcance el objetivo: con {rows:count} filas el intervalo va de "
        "{low:score} a {high:score}.",
    ),
    "way_short": (
        "{way} does not reach the goal of {at_least:score} ({value:score}): see to the documents "
        "and how they are searched first.",
        "{way} no alcanza el objetivo de {at_least:score} ({value:score}): mejora antes los "
        "documentos y cómo se buscan.",
    ),
    "tuning_adds": (
        "Tuning would give more ({way} {value:score}, {other} {other_value:score}): if that is "
        "worth it, state a higher goal.",
        "Afinar daría más ({way} {value:score}, {other} {other_value:score}): si vale la pena, "
        "declara un objetivo más alto.",
    ),
    "trial_was_short": (
        "The trial of {tuned} was short: after {steps:count} steps its loss was still falling. "
        "Before you give tuning up, raise decide.steps.",
        "La prueba de {tuned} fue corta: tras {steps:count} pasos su pérdida seguía bajando. Antes "
        "de descartar el afinado, sube decide.steps.",
    ),
    # the learning curve
    "enough": (
        "The goal is reached with the rows there are: no more data is needed for it.",
        "El objetivo se alcanza con las filas que hay: no hacen falta más datos.",
    ),
    "train_longer": (
        "The loss was still falling when the steps ended: train longer before you add rows.",
        "La pérdida seguía bajando al acabar los pasos: entrena más tiempo antes de añadir filas.",
    ),
    "overfit": (
        "The loss on rows that were not learned rises while training goes on: more varied rows, "
        "fewer steps or a lower rate, not more of the same.",
        "La pérdida en filas no aprendidas sube mientras se entrena: filas más variadas, menos "
        "pasos o un ritmo menor, no más de lo mismo.",
    ),
    "more_data": (
        "More rows help: twice as many would take about {gain:percent} off what is still wrong.",
        "Más filas ayudan: el doble quitaría cerca de {gain:percent} de lo que aún falla.",
    ),
    "other_way": (
        "More rows of the same kind promise little: look at their quality, or take another method "
        "or base.",
        "Más filas iguales prometen poco: mira su calidad, o toma otro método u otra base.",
    ),
    # costs
    "break_even": (
        "Against {against} a tuned model saves {saved:euros} on 1,000 requests: the training "
        "({training:euros}) is paid after {requests:count} requests, with the labelling "
        "({labelling:euros}) after {all_requests:count}.",
        "Frente a {against}, un modelo afinado ahorra {saved:euros} por 1.000 peticiones: el "
        "entrenamiento ({training:euros}) se paga tras {requests:count} peticiones, y con el "
        "etiquetado ({labelling:euros}) tras {all_requests:count}.",
    ),
    "no_break_even": (
        "Against {against} a tuned model saves nothing ({saved:euros} on 1,000 requests): only its "
        "quality can be worth the training ({training:euros}) and the labelling "
        "({labelling:euros}).",
        "Frente a {against}, un modelo afinado no ahorra nada ({saved:euros} por 1.000 "
        "peticiones): solo su calidad puede justificar el entrenamiento ({training:euros}) y el "
        "etiquetado ({labelling:euros}).",
    ),
    "effort": (
        "Labelling: {rows:count} rows are about {hours:tenths} hours; a whole run by {method} "
        "takes about {seconds:duration}.",
        "Etiquetado: {rows:count} filas son unas {hours:tenths} horas; una ejecución entera con "
        "{method} tarda cerca de {seconds:duration}.",
    ),
    "assumed": (
        "Assumed, not measured: {hour:euros} for an hour of this machine, {label_seconds:tenths} s "
        "and {label_hour:euros} an hour for labelling a row.",
        "Supuesto, no medido: {hour:euros} por hora de esta máquina, {label_seconds:tenths} s y "
        "{label_hour:euros} por hora para etiquetar una fila.",
    ),
    "assumed_hosted": (
        "Prompts and documents are reckoned as a hosted model: {prompt:euros} for a million tokens "
        "of prompt, {answer:euros} for a million of answer.",
        "Los prompts y los documentos se calculan como un modelo alojado: {prompt:euros} por millón "
        "de tokens de entrada y {answer:euros} por millón de salida.",
    ),
    # the rows
    "locked": (
        "Decided on {locked:count} locked validation rows, the same for every way; prompts and "
        "weights were chosen on {choice:count} rows out of the training rows. The sealed test "
        "({sealed:count} rows) was not opened.",
        "Decidido con {locked:count} filas de validación bloqueadas, las mismas para todas las "
        "vías; los prompts y los pesos se eligieron con {choice:count} filas sacadas del "
        "entrenamiento. La prueba sellada ({sealed:count} filas) no se abrió.",
    ),
    "not_augmented": (
        "The trials learned from the rows as given: rows that data.augment makes were left aside.",
        "Las pruebas aprendieron de las filas tal como son: sin las que hace data.augment.",
    ),
    "hits_document": (
        "Retrieval finds the document that answers among the first {k:count} passages for "
        "{share:percent} of {rows:count} rows.",
        "La búsqueda halla el documento que responde entre los {k:count} primeros pasajes en el "
        "{share:percent} de {rows:count} filas.",
    ),
    "hits_answer": (
        "No column names the document that answers, so a passage counts that holds most words of "
        "the right answer: among the first {k:count} passages for {share:percent} of {rows:count} "
        "rows.",
        "Ninguna columna indica el documento que responde, así que cuenta el pasaje con la mayoría "
        "de las palabras de la respuesta correcta: entre los {k:count} primeros en el "
        "{share:percent} de {rows:count} filas.",
    ),
    "hits_none": (
        "How often retrieval finds what answers could not be measured: no column names the "
        "document (retrieval.column), and the answers hold no words that the questions do not.",
        "No se pudo medir cuántas veces la búsqueda halla lo que responde: ninguna columna indica "
        "el documento (retrieval.column) y las respuestas no tienen palabras que no estén en las "
        "preguntas.",
    ),
    "failed": ("{way} was not measured: {what}", "{way} no se midió: {what}"),
}
"""Code to (English, Spanish). Both have the same places."""

WORDS: Mapping[str, tuple[str, str]] = {
    "way": ("way", "vía"),
    "p50": ("p50", "p50"),
    "p95": ("p95", "p95"),
    "prompt": ("prompt tokens", "tokens de entrada"),
    "answer": ("answer tokens", "tokens de salida"),
    "cost": ("€ / 1,000", "€ / 1.000"),
    "ways": ("What each way gives", "Lo que da cada vía"),
    "curve": ("Learning curve", "Curva de aprendizaje"),
    "rows": ("rows", "filas"),
    "projected": ("by the law", "según la ley"),
    "methods": ("A whole run by each method, here", "Una ejecución entera con cada método, aquí"),
    "method": ("method", "método"),
    "time": ("time", "tiempo"),
    "memory": ("memory", "memoria"),
    "trained": ("trained", "entrenados"),
    "bases": ("Bases at hand", "Bases disponibles"),
    "base": ("base", "base"),
    "fit": ("fit", "ajuste"),
    "bits": ("bits a character", "bits por carácter"),
    "tokens_per_word": ("tokens a word", "tokens por palabra"),
    "size": ("size", "tamaño"),
    "licence": ("licence", "licencia"),
    "rule": ("Rule", "Regla"),
    "next": ("Next", "Después"),
    "saved": ("saved", "guardado"),
    "goal": ("goal", "objetivo"),
    "rows_for_goal": ("rows for the goal, by the law", "filas para el objetivo, según la ley"),
}
"""Labels: (English, Spanish)."""

CHANGES = {
    "yearly": ("every year", "cada año"),
    "monthly": ("every month", "cada mes"),
    "weekly": ("every week", "cada semana"),
    "daily": ("every day", "cada día"),
}


def word(key: str, language: Language) -> str:
    """A label."""
    return WORDS[key][LANGUAGES.index(language)]


def euros(value: float, language: Language) -> str:
    """An amount with as many decimals as it needs to be more than nothing."""
    places = 2 if abs(value) >= 0.1 or value == 0 else 4 if abs(value) >= 0.001 else 6
    return decimal(value, places, language) + "\u00a0€"


class _Filled(Filled):
    """Also ``euros``, ``tenths`` and scores without an upper end."""

    def __init__(self, language: Language, unit: str) -> None:
        super().__init__(language, unit)
        score, difference = self._kinds["score"], self._kinds["difference"]
        self._kinds |= {
            "euros": lambda v: euros(v, language),
            "tenths": lambda v: decimal(v, 1, language),
            "score": lambda v: "∞" if v is None else score(v),
            "difference": lambda v: "∞" if v is None else difference(v),
        }


class Said(Statement):
    """One sentence of a decision."""

    sentences = SENTENCES
    filler = _Filled

    def words(self, language: Language) -> dict[str, Any]:
        values = super().words(language)
        if values.get("changes") in CHANGES:
            values["changes"] = CHANGES[values["changes"]][LANGUAGES.index(language)]
        return values

    def as_dict(self) -> dict[str, Any]:
        """Code, values and both sentences."""
        return {**super().as_dict(), "en": self.say("en"), "es": self.say("es")}
