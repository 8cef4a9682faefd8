"""Every label of the page, in English and Spanish. Sentences with figures are in ``statement``."""

from __future__ import annotations

from collections.abc import Mapping

from afina.evaluate.finding_words import FINDING_WORDS
from afina.evaluate.words_of_runs import RUNS

WORDS: Mapping[str, tuple[str, str]] = {
    # the page
    "report": ("Report", "Informe"),
    "language": ("Language", "Idioma"),
    "theme": ("Theme", "Tema"),
    "auto": ("Auto", "Auto"),
    "light": ("Light", "Claro"),
    "dark": ("Dark", "Oscuro"),
    "contents": ("Contents", "Contenido"),
    "run": ("Run", "Ejecución"),
    "task": ("Task", "Tarea"),
    "base": ("Base model", "Modelo base"),
    "method": ("Method", "Método"),
    "of": ("of", "de"),
    **RUNS,
    # verdict
    "verdict": ("Verdict", "Veredicto"),
    "ship": ("Ship", "Adelante"),
    "hold": ("Hold", "Alto"),
    "unproven": ("Not proven", "Sin demostrar"),
    "ship_line": ("Tuning was worth it.", "Ha valido la pena afinar."),
    "hold_line": ("Not good enough to use.", "No es lo bastante bueno para usarlo."),
    "unproven_line": ("This test cannot tell.", "Esta prueba no permite decidir."),
    "rule": ("The rule, fixed before the test", "La regla, fijada antes de la prueba"),
    "notes": ("Worth knowing", "Conviene saber"),
    "tuned": ("Tuned model", "Modelo afinado"),
    "hardest": ("Hardest to beat", "Rival más difícil"),
    "difference": ("Difference", "Diferencia"),
    "test_rows": ("Test rows", "Filas de prueba"),
    "goal": ("Goal", "Objetivo"),
    # candidates
    "candidates": ("All candidates on the same test", "Todos los candidatos en la misma prueba"),
    "candidate": ("Candidate", "Candidato"),
    "candidates_about": (
        "Each value with the interval that holds the true one at the stated confidence. "
        "The judged score stands first.",
        "Cada valor, con el intervalo que contiene el verdadero al nivel de confianza indicado. "
        "La medida que decide va primero.",
    ),
    "confidence": ("Confidence", "Confianza"),
    "not_measured": ("not measured", "sin medir"),
    "lower_is_better": ("lower is better", "mejor cuanto más bajo"),
    "judged": ("decides", "decide"),
    "scores": ("Scores", "Medidas"),
    "whiskers": (
        "Bars begin at the lowest possible value; the line on each is its interval.",
        "Las barras empiezan en el menor valor posible; la línea sobre cada una es su intervalo.",
    ),
    "expectations": ("Expectations", "Expectativas"),
    "expectations_about": (
        "Lines of a file that say what an answer must be like; the tuned model must meet all of them.",
        "Líneas de un fichero que dicen cómo ha de ser cada respuesta; el modelo afinado ha de "
        "cumplirlas todas.",
    ),
    "expectations_met": ("Lines met", "Líneas cumplidas"),
    "comparisons": ("Tuned minus each baseline", "Afinado menos cada referencia"),
    "comparisons_about": (
        "On the same rows, in the judged score. The p-value is of no difference at all.",
        "Sobre las mismas filas y en la medida que decide. El valor p es el de que no haya ninguna "
        "diferencia.",
    ),
    "baseline": ("Baseline", "Referencia"),
    "interval": ("Interval", "Intervalo"),
    "p_value": ("p-value", "Valor p"),
    "test": ("Test", "Prueba"),
    "mcnemar": ("McNemar, exact", "McNemar, exacta"),
    "permutation": ("permutation", "permutación"),
    "only_tuned": ("Only tuned right", "Solo acierta el afinado"),
    "only_baseline": ("Only baseline right", "Solo acierta la referencia"),
    # learning curves
    "curves": ("Learning curves", "Curvas de aprendizaje"),
    "train_loss": ("Training loss", "Pérdida de entrenamiento"),
    "validation_loss": ("Validation loss", "Pérdida de validación"),
    "learning_rate": ("Learning rate", "Tasa de aprendizaje"),
    "step": ("Step", "Paso"),
    "best_step": ("best weights", "mejores pesos"),
    "alert": ("Alert", "Aviso"),
    "averaged": (
        "Training loss averaged over steps, to be readable:",
        "Pérdida de entrenamiento promediada para que se lea bien, en pasos:",
    ),
    "stopped": ("Stopped early", "Parada anticipada"),
    "validation_table": ("Validation figures", "Cifras de validación"),
    "validation_accuracy": ("Validation accuracy", "Exactitud en validación"),
    # classes
    "confusion": ("Which labels are confused", "Qué etiquetas se confunden"),
    "confusion_about": (
        "Rows are the right labels, columns the answers of the tuned model; the shade is the share "
        "of the row.",
        "Las filas son las etiquetas correctas y las columnas las respuestas del modelo afinado; "
        "el tono es la parte de la fila.",
    ),
    "confusion_numbers": (
        "Labels are numbered as in the table of classes; point at a cell for its names.",
        "Las etiquetas llevan el número de la tabla de clases; señala una celda para ver sus "
        "nombres.",
    ),
    "confusion_large": (
        "There are too many labels for a picture; the most frequent confusions are listed.",
        "Hay demasiadas etiquetas para una imagen; se listan las confusiones más frecuentes.",
    ),
    "right_label": ("Right label", "Etiqueta correcta"),
    "given_label": ("Answer", "Respuesta"),
    "no_label": ("(no label)", "(ninguna etiqueta)"),
    "most_confused": ("Most frequent confusions", "Confusiones más frecuentes"),
    "no_confusions": (
        "The tuned model confused nothing on this test.",
        "El modelo afinado no confundió nada en esta prueba.",
    ),
    "rows": ("Rows", "Filas"),
    "share_of_label": ("Share of the label", "Parte de la etiqueta"),
    "classes": ("By class", "Por clase"),
    "classes_about": (
        "The tuned model; beside it the F1 of the baseline that is hardest to beat.",
        "El modelo afinado y, al lado, el F1 de la referencia más difícil de superar.",
    ),
    "classes_alone": ("The tuned model.", "El modelo afinado."),
    "worst_first": ("Lowest F1 first.", "Primero, el F1 más bajo."),
    "class": ("Class", "Clase"),
    "precision": ("Precision", "Precisión"),
    "recall": ("Recall", "Exhaustividad"),
    "f1": ("F1", "F1"),
    "support": ("Rows", "Filas"),
    # numbers
    "numbers": ("Right and given numbers", "Números correctos y dados"),
    "numbers_about": (
        "The tuned model on rows drawn from the test; on the dashed line right and given are the same.",
        "El modelo afinado en filas sorteadas de la prueba; en la línea discontinua coinciden el "
        "número correcto y el dado.",
    ),
    "right_number": ("Right number", "Número correcto"),
    "given_number": ("Given number", "Número dado"),
    # the general probe
    "probe": ("What it knew before", "Lo que sabía antes"),
    "probe_about": (
        "General questions and texts that have nothing to do with the task, asked of the base and of "
        "the tuned model. The verdict is hold where more is lost than the limit allows and the "
        "interval of the change excludes none.",
        "Preguntas y textos generales, ajenos a la tarea, planteados a la base y al modelo afinado. El "
        "veredicto es alto si se pierde más de lo que admite el límite y el intervalo del cambio "
        "excluye que no haya ninguno.",
    ),
    "probe_right": ("General questions right", "Preguntas generales acertadas"),
    "probe_perplexity": ("Perplexity of general texts", "Perplejidad de textos generales"),
    "long_right": (
        "Facts found in long texts, of so many tokens",
        "Datos hallados en textos largos, de tantos tokens",
    ),
    "long_perplexity": (
        "Perplexity of long texts, of so many tokens",
        "Perplejidad de textos largos, de tantos tokens",
    ),
    "before": ("Base", "Base"),
    "after": ("Tuned", "Afinado"),
    "limit": ("Limit", "Límite"),
    "no_limit": ("none", "ninguno"),
    "by_field": ("Right answers by field", "Aciertos por materia"),
    "field": ("Field", "Materia"),
    "questions": ("Questions", "Preguntas"),
    "facts": ("Facts", "Datos"),
    "arithmetic": ("Arithmetic", "Aritmética"),
    "language_field": ("Language", "Lengua"),
    "instructions": ("Instructions", "Instrucciones"),
    "sense": ("Common sense", "Sentido común"),
    "code": ("Code", "Código"),
    "in_en": ("English", "inglés"),
    "in_es": ("Spanish", "español"),
    # samples
    "samples": ("Side by side", "Frente a frente"),
    "samples_marks": (
        "Marked: words that the right answer does not have. Framed: words it has and the answer "
        "lacks.",
        "Marcadas: palabras que no están en la respuesta correcta. Enmarcadas: las que están en "
        "ella y faltan aquí.",
    ),
    "question": ("Question", "Pregunta"),
    "gold": ("Right answer", "Respuesta correcta"),
    "right": ("right", "acierta"),
    "wrong": ("wrong", "falla"),
    "empty": ("(empty)", "(vacía)"),
    "others": ("Other candidates", "Otros candidatos"),
    # data
    "data": ("Data", "Datos"),
    "rows_read": ("Rows read", "Filas leídas"),
    "made_rows": ("Rows made of training rows", "Filas hechas a partir de las de entrenamiento"),
    "rows_kept": ("Rows kept", "Filas conservadas"),
    "dropped": ("Dropped", "Descartadas"),
    "training": ("Training", "Entrenamiento"),
    "validation": ("Validation", "Validación"),
    "split": ("How the split was made", "Cómo se hizo la división"),
    "balance": ("Rows by label", "Filas por etiqueta"),
    "exact_duplicates": ("Exact duplicates", "Duplicados exactos"),
    "similar_inputs": (
        "Inputs alike but for case and spacing",
        "Entradas iguales salvo mayúsculas y espacios",
    ),
    "near_duplicates": ("Rows with a near duplicate", "Filas con otra casi igual"),
    "found_label_error": ("Labels that are probably wrong", "Etiquetas probablemente erróneas"),
    "found_leak": (
        "Rows that the benchmark holds too",
        "Filas que están también en la prueba externa",
    ),
    "found_cut_off": ("Answers that are probably cut off", "Respuestas probablemente cortadas"),
    "found_language": ("Rows in another language", "Filas en otro idioma"),
    "found_outlier": ("Rows unlike the others", "Filas distintas de las demás"),
    "found_personal": ("Personal data found", "Datos personales encontrados"),
    "near_across": (
        "Test rows with a near duplicate in training",
        "Filas de prueba con otra casi igual en el entrenamiento",
    ),
    "contradictions": (
        "Rows with one input and different answers",
        "Filas con una misma entrada y respuestas distintas",
    ),
    "encoding_faults": (
        "Rows with signs of a wrong encoding",
        "Filas con indicios de codificación errónea",
    ),
    "lengths": ("Lengths", "Longitudes"),
    "least": ("Shortest", "Mínima"),
    "median": ("Median", "Mediana"),
    "p95": ("95th percentile", "Percentil 95"),
    "most": ("Longest", "Máxima"),
    "mean": ("Mean", "Media"),
    "numbers_data": ("Right numbers", "Números correctos"),
    "least_number": ("Least", "Menor"),
    "most_number": ("Greatest", "Mayor"),
    "deviation": ("Standard deviation", "Desviación típica"),
    "fingerprint": ("Fingerprint of data and split", "Huella de datos y división"),
    "replayed": (
        "General rows learned beside them (replay)",
        "Filas generales aprendidas además (repaso)",
    ),
    "sealed": ("Test, sealed until the evaluation", "Prueba, sellada hasta la evaluación"),
    # estimate and cost
    "estimate": ("Estimate against fact", "Lo estimado y lo medido"),
    "figure": ("Figure", "Cifra"),
    "estimated": ("Estimated", "Estimado"),
    "measured": ("Measured", "Medido"),
    "ratio": ("Measured / estimated", "Medido / estimado"),
    "training_time": ("Training time", "Tiempo de entrenamiento"),
    "memory": ("Peak memory", "Memoria máxima"),
    "disk": ("Disk", "Disco"),
    "tokens": ("Tokens read", "Tokens leídos"),
    "plan": ("Values the plan derived", "Valores que dedujo el plan"),
    "key": ("Key", "Clave"),
    "value": ("Value", "Valor"),
    "reason": ("Reason", "Motivo"),
    "cost": ("Cost", "Coste"),
    "cost_training": ("of training", "del entrenamiento"),
    "cost_requests": ("of each request, on this machine", "de cada petición, en esta máquina"),
    "time_per_request": ("Time a request", "Tiempo por petición"),
    "prompt_tokens": ("Prompt tokens", "Tokens de entrada"),
    "answer_tokens": ("Answer tokens", "Tokens de respuesta"),
    "open_time": ("Time to be ready", "Tiempo hasta estar listo"),
    "cut_off": ("Cut off", "Cortadas"),
    "trained": ("Parameters trained", "Parámetros entrenados"),
    "speed": ("Tokens a second", "Tokens por segundo"),
    "rows_speed": ("Rows a second", "Filas por segundo"),
    "device": ("Machine", "Máquina"),
    "precision_of": ("Arithmetic", "Aritmética"),
    # reproduce
    "reproduce": ("To reproduce", "Para reproducirlo"),
    "command": ("Command", "Orden"),
    "recipe": ("The recipe, with every value", "La receta, con todos sus valores"),
    "versions": ("Versions", "Versiones"),
    "weights": ("Weights (sha256)", "Pesos (sha256)"),
    "licence": ("Licence", "Licencia"),
    "resamples": ("Bootstrap resamples", "Remuestreos"),
    "seed": ("Seed", "Semilla"),
    **FINDING_WORDS,
}
"""Key to (English, Spanish)."""

CANDIDATES: Mapping[str, tuple[str, str]] = {
    "tuned": ("Tuned", "Afinado"),
    "majority": ("Majority class", "Clase mayoritaria"),
    "linear": ("Linear model", "Modelo lineal"),
    "embedding_linear": ("Embeddings + linear", "Vectores + lineal"),
    "lead": ("First sentences", "Primeras frases"),
    "copy": ("The text itself", "El propio texto"),
    "gazetteer": ("Names of the training rows", "Nombres del entrenamiento"),
    "word_linear": ("Linear model of words", "Modelo lineal de palabras"),
    "sentence": ("Nearest sentence", "Frase más afín"),
    "mean": ("Mean of the training rows", "Media del entrenamiento"),
    "ridge": ("Linear model (ridge)", "Modelo lineal (ridge)"),
    "embedding_ridge": ("Embeddings + ridge", "Vectores + ridge"),
    "nearest": ("Nearest neighbour", "Vecino más cercano"),
    "vectors": ("Base's vectors, untuned", "Vectores de la base sin afinar"),
    "bm25": ("Search by words (BM25)", "Búsqueda por palabras (BM25)"),
    "popular": ("What most rows have", "Lo más frecuente"),
    "neighbours": ("What like rows have", "Lo que tienen las filas parecidas"),
    "zero_shot": ("Base zero-shot", "Base sin ejemplos"),
    "few_shot": ("Base few-shot", "Base con ejemplos"),
    "few_shot_random": ("Base, random examples", "Base con ejemplos al azar"),
    "few_shot_nearest": ("Base, nearest examples", "Base con los ejemplos más parecidos"),
    "rag": ("Base with documents (RAG)", "Base con documentos (RAG)"),
    "tuned_rag": ("Tuned with documents (RAG)", "Afinado con documentos (RAG)"),
    "base": ("Base itself", "La base misma"),
    "longer": ("The longer answer", "La respuesta más larga"),
    "prompt_search": ("Base, best prompt found", "Base con el mejor prompt hallado"),
}
"""Names of the usual candidates; any other is shown by its own."""

LENGTHS: Mapping[str, tuple[str, str]] = {
    "input_characters": ("Input, characters", "Entrada, caracteres"),
    "input_words": ("Input, words", "Entrada, palabras"),
    "answer_characters": ("Answer, characters", "Respuesta, caracteres"),
    "answer_words": ("Answer, words", "Respuesta, palabras"),
    "tokens": ("Whole row, tokens", "Fila entera, tokens"),
}
"""What the check of the data measures."""

DROPS: Mapping[str, tuple[str, str]] = {
    "empty_input": ("Empty input", "Entrada vacía"),
    "empty_answer": ("Empty answer", "Respuesta vacía"),
    "duplicate": ("Repeats another row", "Repite otra fila"),
    "contradiction": ("Same input, another answer", "Misma entrada, otra respuesta"),
    "in_test": ("Input stands in the test too", "La entrada está también en la prueba"),
    "in_validation": (
        "Input stands in the validation too",
        "La entrada está también en la validación",
    ),
    "near_duplicate": ("Nearly repeats another row", "Casi repite otra fila"),
    "near_test": (
        "Near duplicate of a test row",
        "Casi igual que una fila de la prueba",
    ),
    "near_validation": (
        "Near duplicate of a validation row",
        "Casi igual que una fila de validación",
    ),
    "limit": ("Beyond data.limit", "Por encima de data.limit"),
}
"""Why rows were dropped; any other reason is shown by its own word."""
