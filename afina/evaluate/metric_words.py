"""What scores are called, in English and Spanish, and their sentences in Spanish."""

from __future__ import annotations

from collections.abc import Mapping

METRICS: Mapping[str, tuple[str, str]] = {
    "accuracy": ("Accuracy", "Exactitud"),
    "macro_f1": ("Macro F1", "F1 macro"),
    "macro_precision": ("Macro precision", "Precisión macro"),
    "macro_recall": ("Macro recall", "Exhaustividad macro"),
    "micro_f1": ("Micro F1", "F1 micro"),
    "micro_precision": ("Micro precision", "Precisión micro"),
    "micro_recall": ("Micro recall", "Exhaustividad micro"),
    "exact_match": ("Exact match", "Coincidencia exacta"),
    "json_valid": ("Valid JSON", "JSON válido"),
    "schema_validity": ("Fits the schema", "Cumple el esquema"),
    "passes_tests": ("Passes its tests", "Pasa sus pruebas"),
    "field_f1": ("Field F1", "F1 por campo"),
    "entity_f1": ("Entity F1", "F1 de entidades"),
    "entity_precision": ("Entity precision", "Precisión de entidades"),
    "entity_recall": ("Entity recall", "Exhaustividad de entidades"),
    "macro_entity_f1": ("Macro entity F1", "F1 macro de entidades"),
    "word_accuracy": ("Accuracy of words", "Exactitud por palabra"),
    "answer_f1": ("Answer F1", "F1 de la respuesta"),
    "no_answer_recall": ("No answer, recall", "Sin respuesta, exhaustividad"),
    "mae": ("Mean absolute error", "Error absoluto medio"),
    "expected_cost": ("Expected cost", "Coste esperado"),
    "rmse": ("Root mean squared error", "Raíz del error cuadrático medio"),
    "pearson": ("Pearson's correlation", "Correlación de Pearson"),
    "spearman": ("Spearman's correlation", "Correlación de Spearman"),
    "perplexity": ("Perplexity", "Perplejidad"),
    "chrf": ("chrF", "chrF"),
    "bleu": ("BLEU", "BLEU"),
    "rouge_l": ("ROUGE-L", "ROUGE-L"),
    "rouge_1": ("ROUGE-1", "ROUGE-1"),
    "ndcg": ("NDCG at 10", "NDCG a 10"),
    "mrr": ("MRR at 10", "MRR a 10"),
    "recall_at_1": ("Recall at 1", "Exhaustividad a 1"),
    "recall_at_10": ("Recall at 10", "Exhaustividad a 10"),
    "hit_at_1": ("Hits at 1", "Aciertos a 1"),
    "hit_at_5": ("Hits at 5", "Aciertos a 5"),
    "hit_at_10": ("Hits at 10", "Aciertos a 10"),
    "rouge_2": ("ROUGE-2", "ROUGE-2"),
    "preference_accuracy": ("Preference accuracy", "Acierto de preferencia"),
    "preference_gain": ("Preference gained on the base", "Preferencia ganada a la base"),
}
"""Names of the scores as a reader sees them."""

SENTENCES_OF_METRICS: Mapping[str, str] = {
    "accuracy": "Parte de las filas con exactamente la etiqueta (o etiquetas) correcta.",
    "macro_f1": "F1 de cada clase, promediado con igual peso.",
    "macro_precision": "Precisión de cada clase, promediada con igual peso.",
    "macro_recall": "Exhaustividad de cada clase, promediada con igual peso.",
    "micro_f1": "F1 de todas las etiquetas juntas: las clases frecuentes pesan más.",
    "micro_precision": "Parte de las etiquetas dadas que son correctas.",
    "micro_recall": "Parte de las etiquetas correctas que se dieron.",
    "entity_f1": "F1 de los tramos hallados, todas las etiquetas juntas; los bordes y la etiqueta "
    "han de ser correctos.",
    "entity_precision": "Parte de los tramos hallados que son correctos.",
    "entity_recall": "Parte de los tramos correctos que se hallaron.",
    "macro_entity_f1": "F1 de los tramos de cada etiqueta, promediado con igual peso.",
    "word_accuracy": "Parte de las palabras con la marca correcta, también las que quedan fuera de todo "
    "tramo.",
    "answer_f1": "F1 de las palabras de la respuesta y la correcta, media por filas (como SQuAD: sin "
    "artículos ni puntuación).",
    "no_answer_recall": "Parte de las preguntas sin respuesta a las que no se dio ninguna.",
    "expected_cost": "Coste medio de los errores de una fila, con los costes que indica la receta.",
    "mae": "Cuánto se alejan de media las respuestas de los números correctos (error absoluto medio).",
    "rmse": "La raíz del error cuadrático medio: como el error medio, pero los errores grandes pesan "
    "más.",
    "pearson": "Hasta qué punto las respuestas y los números correctos caen en una recta (correlación "
    "de Pearson).",
    "spearman": "Hasta qué punto las respuestas ordenan bien las filas (correlación de Spearman).",
    "exact_match": "Parte de las respuestas iguales a la correcta (JSON por su valor, texto sin "
    "espacios alrededor, etiquetas como conjunto, las halladas en un texto sin artículos ni "
    "puntuación).",
    "json_valid": "Parte de las respuestas que son un objeto o una lista JSON y nada más.",
    "schema_validity": "Parte de las respuestas que son JSON y cumplen el esquema de la tarea.",
    "passes_tests": "Parte de las respuestas cuyo código pasa las pruebas de su fila, ejecutadas hasta "
    "el final (pass@1); las filas sin pruebas no cuentan.",
    "field_f1": "F1 de los campos de las respuestas JSON, todas las filas juntas.",
    "perplexity": "Cuánto sorprenden al modelo las respuestas correctas, por token; solo "
    "comparable entre modelos con el mismo tokenizador.",
    "chrf": "N-gramas de caracteres en común con las respuestas correctas (chrF, como sacrebleu).",
    "bleu": "N-gramas de palabras en común con las respuestas correctas (BLEU, como sacrebleu).",
    "preference_accuracy": "Parte de los pares cuya mejor respuesta es para el modelo más probable que "
    "la peor.",
    "preference_gain": "Parte de las filas cuya mejor respuesta ha ganado probabilidad a la peor desde "
    "la base (con respuestas sueltas: se movió como fue juzgada); la propia base tiene la mitad.",
    "rouge_l": "F de la secuencia común de palabras más larga, promediado por filas (ROUGE-L).",
    "ndcg": "A qué altura están los textos correctos entre los diez mejores (NDCG a 10); 1 es todos "
    "delante.",
    "mrr": "Uno partido por el puesto del primer texto correcto, 0 más allá de diez (MRR a 10).",
    "recall_at_1": "Parte de los textos correctos hallada en el primer puesto.",
    "recall_at_10": "Parte de los textos correctos hallada entre los diez mejores.",
    "hit_at_1": "Parte de las filas con un texto correcto en el primer puesto.",
    "hit_at_5": "Parte de las filas con un texto correcto entre los cinco mejores.",
    "hit_at_10": "Parte de las filas con un texto correcto entre los diez mejores.",
    "rouge_1": "F de las palabras en común con la respuesta correcta, promediado por filas (ROUGE-1).",
    "rouge_2": "F de los pares de palabras vecinas en común con la respuesta correcta, promediado por "
    "filas (ROUGE-2).",
}
"""The scorers' own sentences in Spanish; the English ones stand with the scorers."""
