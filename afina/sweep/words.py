"""The words of the page of a sweep, in English and Spanish."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "sweep": ("Sweep", "Búsqueda"),
    "best": ("Best trial", "Mejor ensayo"),
    "about": (
        "Every trial trains the same recipe with other settings and is measured on the validation "
        "rows. The best of many looks a little better there than it is: the sealed test tells.",
        "Cada ensayo entrena la misma receta con otros valores y se mide con las filas de validación. "
        "El mejor de muchos parece allí algo mejor de lo que es: lo dirá la prueba sellada.",
    ),
    "better": (
        "Its interval lies beyond the score of the recipe as it stands (trial 0).",
        "Su intervalo queda más allá de la medida de la receta tal como está (ensayo 0).",
    ),
    "not_better": (
        "It is not shown to be better than the recipe as it stands (trial 0), whose score lies within "
        "its interval.",
        "No se demuestra que supere a la receta tal como está (ensayo 0), cuya medida cae dentro de su "
        "intervalo.",
    ),
    "by_trial": ("Trial by trial", "Ensayo a ensayo"),
    "by_trial_about": (
        "Dots are complete trials with their intervals; the line is the best so far.",
        "Los puntos son ensayos completos con sus intervalos; la línea es el mejor hasta entonces.",
    ),
    "by_knob": ("By setting", "Por valor"),
    "by_knob_about": (
        "After a quarter of their steps all trials are looked at alike, stopped ones too: how good the "
        "weights were then (higher is better), by the value of each setting.",
        "Tras un cuarto de sus pasos se miran todos los ensayos por igual, también los detenidos: lo "
        "buenos que eran entonces los pesos (más alto es mejor), según cada valor.",
    ),
    "importance": ("Weight of each setting", "Peso de cada valor"),
    "importance_about": (
        "Share of the differences at that look that each setting explains (fANOVA).",
        "Parte de las diferencias en ese momento que explica cada valor (fANOVA).",
    ),
    "trials": ("All trials", "Todos los ensayos"),
    "trial": ("Trial", "Ensayo"),
    "time": ("Time", "Tiempo"),
    "ended": ("Ended", "Final"),
    "space": ("What was varied", "Qué se varió"),
    "key": ("Key", "Clave"),
    "values": ("Values", "Valores"),
    "reason": ("Why", "Por qué"),
    "rows": ("Validation rows", "Filas de validación"),
    "log": ("by logarithm", "por logaritmo"),
    "to": ("to", "a"),
    "complete": ("complete", "completo"),
    "worse": ("stopped: others were better", "detenido: otros iban mejor"),
    "late": ("stopped: the time was over", "detenido: se acabó el tiempo"),
    "diverged": ("failed: it diverged", "fallido: divergió"),
    "out_of_memory": ("failed: memory ran out", "fallido: faltó memoria"),
    "refused": ("failed: settings that do not fit", "fallido: valores incompatibles"),
    "killed": ("failed: its process was killed twice", "fallido: su proceso murió dos veces"),
}
