"""What the page says of the findings: labels and sentences, in English and Spanish."""

from __future__ import annotations

from collections.abc import Mapping

FINDING_WORDS: Mapping[str, tuple[str, str]] = {
    # calibration
    "calibration": ("Calibration", "Calibración"),
    "calibration_about": (
        "Whether the probabilities mean what they say. ECE: how far they are from the share of "
        "right answers, on average over bins with equally many answers. By chance: what a perfectly "
        "calibrated model stays below on so many rows. Brier: mean squared distance from the truth.",
        "Si las probabilidades significan lo que dicen. ECE: cuánto se alejan de la parte de aciertos, "
        "en promedio por grupos con el mismo número de respuestas. Por azar: lo que no pasaría un "
        "modelo perfectamente calibrado con tantas filas. Brier: distancia cuadrática media a la "
        "verdad.",
    ),
    "ece": ("ECE", "ECE"),
    "by_chance": ("By chance", "Por azar"),
    "mean_confidence": ("Mean probability", "Probabilidad media"),
    "share_right": ("Share right", "Parte de aciertos"),
    "brier": ("Brier", "Brier"),
    "temperature": ("Temperature", "Temperatura"),
    "given_probability": ("Probability given", "Probabilidad dada"),
    # what requests take
    "cost_about": (
        "Time a request: of the whole test, rows answered together, divided by its rows. Median and "
        "95th percentile: of single requests, one after the other (the latter from 20 requests on). "
        "Memory: the most of the whole process while the candidate answered. Disk: its weights, the "
        "base's included.",
        "Tiempo por petición: el de toda la prueba, con las filas respondidas juntas, entre sus filas. "
        "Mediana y percentil 95: de peticiones sueltas, una tras otra (el segundo, desde 20 "
        "peticiones). Memoria: la máxima de todo el proceso mientras el candidato respondía. Disco: "
        "sus pesos, con los de la base.",
    ),
    "timed": ("Single requests timed", "Peticiones sueltas cronometradas"),
    "median_time": ("Median", "Mediana"),
    "slow_time": ("95th percentile", "Percentil 95"),
    "throughput": ("Requests a second", "Peticiones por segundo"),
    # unsupported claims
    "support": ("What the source does not hold", "Lo que no está en la fuente"),
    "support_about": (
        "Share of the numbers, names and content words of an answer that its source does not hold "
        "(the question, and the passages shown). By words alone: a wrong claim in the source's own "
        "words is not seen, and a right one in other words counts. So the right answers (✓) stand "
        "beside as the yardstick.",
        "Parte de los números, nombres y palabras de contenido de una respuesta que no está en su "
        "fuente (la pregunta y los pasajes mostrados). Solo por palabras: no se ve una afirmación "
        "falsa hecha con palabras de la fuente, y cuenta una cierta dicha con otras. Por eso van "
        "al lado, como vara de medir, las respuestas correctas (✓).",
    ),
    "numbers_beyond": ("Numbers", "Números"),
    "names_beyond": ("Names", "Nombres"),
    "words_beyond": ("Content words", "Palabras de contenido"),
    # style
    "style": ("Way of writing", "Forma de escribir"),
    "style_about": (
        "Distance from the style of the right answers: function words, punctuation, lengths of "
        "sentences and words (Burrows's Delta); 0 is the same style. By chance: how far another "
        "sample of the right answers would be.",
        "Distancia al estilo de las respuestas correctas: palabras gramaticales, puntuación, "
        "longitud de frases y palabras (Delta de Burrows); 0 es el mismo estilo. Por azar: lo "
        "lejos que quedaría otra muestra de las respuestas correctas.",
    ),
    "distance": ("Distance", "Distancia"),
    "by_chance_distance": ("By chance", "Por azar"),
    # slices
    "slices": ("Where it is weak", "Dónde flaquea"),
    "slices_about": (
        "Rows of the tuned model by what they have in common, against the rest of the test. The "
        "p-values hold for all slices together (Holm).",
        "Filas del modelo afinado según lo que tienen en común, frente al resto de la prueba. Los "
        "valores p valen para todos los grupos a la vez (Holm).",
    ),
    "slice": ("Slice by", "Grupo por"),
    "slice_value": ("Value", "Valor"),
    "slice_length": ("length in words", "longitud en palabras"),
    "slice_language": ("language", "idioma"),
    "slice_label": ("right label", "etiqueta correcta"),
    "slice_worse": ("worse", "peor"),
    "own_score": ("Score", "Medida"),
    "rest": ("The rest", "El resto"),
    "worse": ("Beyond chance", "Más que azar"),
    # rewards
    "rewards": ("Rewards", "Recompensas"),
    "rewards_about": (
        "What the answers of the test are worth to the reward that the model learned by, and how often "
        "the tuned model's is worth more than another's to the same question (a tie counts as half).",
        "Cuánto valen las respuestas de la prueba según la recompensa con la que aprendió el modelo, y "
        "cuántas veces vale más la del modelo afinado que la de otro a la misma pregunta (un empate "
        "cuenta la mitad).",
    ),
    "mean_reward": ("Mean reward", "Recompensa media"),
    "win_rate": ("The tuned model wins", "Gana el modelo afinado"),
    # worst rows
    "worst": ("Worst rows", "Peores filas"),
    "worst_about": (
        "Rows of the test by their ids, the worst first: often a wrong label, or a kind of question "
        "that training lacks.",
        "Filas de la prueba por su identificador, primero la peor: a menudo una etiqueta errónea o un "
        "tipo de pregunta que falta en el entrenamiento.",
    ),
    "row": ("Row", "Fila"),
    "where": ("Where", "Dónde"),
    "loss": ("Loss or score", "Pérdida o medida"),
    # further questions
    "robustness": ("The same question written otherwise", "La misma pregunta escrita de otro modo"),
    "robustness_about": (
        "Test questions with a change that leaves their meaning, asked again; compared in pairs with "
        "the questions as they are. The p-values hold for all changes together (Holm).",
        "Preguntas de la prueba con un cambio que no altera su sentido, hechas de nuevo y comparadas "
        "una a una con las originales. Los valores p valen para todos los cambios a la vez (Holm).",
    ),
    "change": ("Change", "Cambio"),
    "typos": ("Typing errors", "Erratas"),
    "case": ("Another case", "Mayúsculas y minúsculas"),
    "accents": ("No accents", "Sin acentos"),
    "spaces": ("More spaces", "Más espacios"),
    "punctuation": ("No punctuation", "Sin puntuación"),
    "paraphrases": ("Other wordings", "Otras redacciones"),
    "moved": ("Answers that change", "Respuestas que cambian"),
    "before": ("As it is", "Tal cual"),
    "after": ("Changed", "Cambiada"),
    # bias
    "groups": ("Scores by group", "Medidas por grupo"),
    "groups_about": (
        "The tuned model on the rows of each group. Groups with few rows are left out; that no "
        "difference is shown does not prove that there is none.",
        "El modelo afinado en las filas de cada grupo. Los grupos con pocas filas no aparecen; que no "
        "se demuestre una diferencia no prueba que no la haya.",
    ),
    "column": ("Column", "Columna"),
    "group": ("Group", "Grupo"),
    "swaps": ("The same question about somebody else", "La misma pregunta sobre otra persona"),
    "swaps_about": (
        "Questions that name a man or a woman, with the terms exchanged (he and she, Juan and Ana, "
        "your own pairs). Where nobody's group should matter, no answer should change. A small list of "
        "English and Spanish terms; what is not in it is not seen.",
        "Preguntas que nombran a un hombre o a una mujer, con los términos intercambiados (él y ella, "
        "Juan y Ana, tus propias parejas). Donde no debe importar quién es, ninguna respuesta debería "
        "cambiar. Es una lista corta de términos en inglés y español; lo que no está en ella no se ve.",
    ),
    "swap": ("Exchanged", "Intercambio"),
    "gender_words": ("Words for men and women", "Palabras de hombre y mujer"),
    "first_names": ("First names", "Nombres de pila"),
    "own_terms": ("Your own terms", "Tus términos"),
}
"""Key to (English, Spanish); part of ``WORDS``."""

FINDING_SENTENCES: Mapping[str, tuple[str, str]] = {
    # the rule that was written down
    "rule_changed": (
        "The rule is not the one written down before training: {key} was {before} and is {after}.",
        "La regla no es la que se escribió antes de entrenar: {key} era {before} y es {after}.",
    ),
    "rule_changed_open": (
        "The rule was changed after the test had been opened ({openings:count} times): {key} was "
        "{before} and is {after}. The verdict proves nothing until another test confirms it.",
        "La regla se cambió después de abrir la prueba ({openings:count} veces): {key} era {before} y "
        "es {after}. El veredicto no demuestra nada hasta que otra prueba lo confirme.",
    ),
    "rule_edited": (
        "The rule that was written down before training has been edited since: its hash is not the "
        "one in the run's events. The verdict proves nothing until another test confirms it.",
        "La regla escrita antes de entrenar se editó después: su huella no es la que consta en los "
        "eventos de la ejecución. El veredicto no demuestra nada hasta que otra prueba lo confirme.",
    ),
    "support_lacking": (
        "{tuned} says more than its source holds: {value:percent} more of its numbers, names and "
        "content words are not in it than of the right answers', interval {low:percent} to "
        "{high:percent} over {rows:count} rows.",
        "{tuned} dice más de lo que contiene su fuente: un {value:percent} más de sus números, "
        "nombres y palabras de contenido no está en ella que en las respuestas correctas, intervalo de "
        "{low:percent} a {high:percent} en {rows:count} filas.",
    ),
    "support_even": (
        "It is not shown that {tuned} says more beyond its source than the right answers do: the "
        "difference is {value:percent}, interval {low:percent} to {high:percent} over {rows:count} "
        "rows.",
        "No se demuestra que {tuned} diga más cosas ajenas a su fuente que las respuestas "
        "correctas: la diferencia es {value:percent}, intervalo de {low:percent} a {high:percent} "
        "en {rows:count} filas.",
    ),
    "support_others": (
        "Only other candidates were shown a source, so nothing is said of {tuned}.",
        "Solo a otros candidatos se les mostró una fuente, así que nada se afirma de {tuned}.",
    ),
    "style_nearer": (
        "{tuned} writes more like the right answers than {baseline} does: distance {value:plain} "
        "instead of {other:plain} ({difference:difference}, interval {low:difference} to "
        "{high:difference}).",
        "{tuned} escribe de forma más parecida a las respuestas correctas que {baseline}: distancia "
        "{value:plain} en vez de {other:plain} ({difference:difference}, intervalo de {low:difference} "
        "a {high:difference}).",
    ),
    "style_farther": (
        "{tuned} writes less like the right answers than {baseline} does: distance {value:plain} "
        "instead of {other:plain} ({difference:difference}, interval {low:difference} to "
        "{high:difference}).",
        "{tuned} escribe de forma menos parecida a las respuestas correctas que {baseline}: distancia "
        "{value:plain} en vez de {other:plain} ({difference:difference}, intervalo de {low:difference} "
        "a {high:difference}).",
    ),
    "style_even": (
        "It is not shown that {tuned} writes more or less like the right answers than {baseline}: "
        "distance {value:plain} and {other:plain} ({difference:difference}, interval {low:difference} "
        "to {high:difference}).",
        "No se demuestra que {tuned} escriba de forma más o menos parecida a las respuestas "
        "correctas que {baseline}: distancia {value:plain} y {other:plain} "
        "({difference:difference}, intervalo de {low:difference} a {high:difference}).",
    ),
    "style_alone": (
        "The distance of {tuned} from the style of the right answers is {value:plain}; another "
        "sample of them would be up to {chance:plain} away. No untuned base was measured beside it.",
        "La distancia de {tuned} al estilo de las respuestas correctas es {value:plain}; otra "
        "muestra de ellas quedaría hasta a {chance:plain}. No se midió al lado ninguna base sin "
        "afinar.",
    ),
    # two runs
    "compare_better": (
        "{winner} is better than {loser} in {metric}: {second} minus {first} is "
        "{difference:difference}, interval {low:difference} to {high:difference}, p "
        "{p_value:probability}, on the same test rows.",
        "{winner} es mejor que {loser} en {metric}: {second} menos {first} da {difference:difference}, "
        "intervalo de {low:difference} a {high:difference}, p {p_value:probability}, en las mismas "
        "filas de prueba.",
    ),
    "compare_open": (
        "Neither of {first} and {second} is shown to be better in {metric}: the second minus the first "
        "is {difference:difference}, interval {low:difference} to {high:difference}, p "
        "{p_value:probability}, on the same test rows.",
        "No se demuestra que {first} o {second} sea mejor en {metric}: la segunda menos la primera da "
        "{difference:difference}, intervalo de {low:difference} a {high:difference}, p "
        "{p_value:probability}, en las mismas filas de prueba.",
    ),
    "compare_rows": (
        "Not compared: the tests differ ({rows:count} and {others:count} rows, {shared:count} of them "
        "the same). Measure both runs on one test: the same file as data.test of both recipes.",
        "Sin comparar: las pruebas difieren ({rows:count} y {others:count} filas, {shared:count} "
        "comunes). Mide las dos ejecuciones con una misma prueba: el mismo fichero en data.test.",
    ),
    "compare_content": (
        "Not compared: the {rows:count} test rows have the same ids and another content.",
        "Sin comparar: las {rows:count} filas de prueba tienen los mismos identificadores y otro "
        "contenido.",
    ),
    "compare_labels": (
        "Not compared: the two tasks have other labels.",
        "Sin comparar: las dos tareas tienen etiquetas distintas.",
    ),
    "compare_unkept": (
        "Not compared: the scores of the single rows are missing; afina eval RUN measures them.",
        "Sin comparar: faltan las medidas de cada fila; afina eval RUN las toma.",
    ),
    "rule_unwritten": (
        "No rule was written down before this run was trained.",
        "No se escribió ninguna regla antes de entrenar esta ejecución.",
    ),
    "calibrated": (
        "The probabilities of {tuned} are not shown to be off: ECE {value:percent}, interval "
        "{low:percent} to {high:percent}, and chance alone gives up to {chance:percent} (p "
        "{p_value:probability}). Mean probability {sure:percent}, right {right:percent}.",
        "No se demuestra que las probabilidades de {tuned} sean engañosas: ECE {value:percent}, "
        "intervalo de {low:percent} a {high:percent}, y el azar solo da hasta {chance:percent} (p "
        "{p_value:probability}). Probabilidad media {sure:percent}, aciertos {right:percent}.",
    ),
    "overconfident": (
        "{tuned} is surer than it should be: it says {sure:percent} on average and {right:percent} "
        "are right; ECE {value:percent}, interval {low:percent} to {high:percent}, where chance "
        "gives up to {chance:percent}. task.temperature: fitted mends it without another answer.",
        "{tuned} está más seguro de lo debido: dice {sure:percent} de media y acierta el "
        "{right:percent}; ECE {value:percent}, intervalo de {low:percent} a {high:percent}, cuando el "
        "azar da hasta {chance:percent}. task.temperature: fitted lo corrige sin cambiar respuestas.",
    ),
    "underconfident": (
        "The probabilities of {tuned} are off: it says {sure:percent} on average and "
        "{right:percent} are right; ECE {value:percent}, interval {low:percent} to {high:percent}, "
        "where chance gives up to {chance:percent}. task.temperature: fitted mends what is too low "
        "or too high throughout.",
        "Las probabilidades de {tuned} son engañosas: dice {sure:percent} de media y acierta el "
        "{right:percent}; ECE {value:percent}, intervalo de {low:percent} a {high:percent}, cuando el "
        "azar da hasta {chance:percent}. task.temperature: fitted corrige lo que es en conjunto "
        "demasiado bajo o alto.",
    ),
    "slices_worse": (
        "{slices:count} of {all:count} slices of the test are worse than the rest beyond chance (at "
        "{confidence:whole_percent} for all together): {names}.",
        "{slices:count} de {all:count} grupos de la prueba son peores que el resto más de lo que da el "
        "azar (al {confidence:whole_percent} para todos a la vez): {names}.",
    ),
    "slices_even": (
        "None of {all:count} slices of the test is shown to be worse than the rest (at "
        "{confidence:whole_percent} for all together).",
        "De {all:count} grupos de la prueba, no se demuestra que ninguno sea peor que el resto (al "
        "{confidence:whole_percent} para todos a la vez).",
    ),
    "slices_small": (
        "{slices:count} more slices have fewer than {least:count} rows, or leave fewer, and are not "
        "tested.",
        "Otros {slices:count} grupos tienen menos de {least:count} filas, o dejan menos, y no se "
        "prueban.",
    ),
    "rewards_told": (
        "Mean reward: {tuned} {reward:plain}, {baseline} {before:plain}. The answer of {tuned} "
        "is worth more in {value:percent} of the rows [{low:percent}, {high:percent}], ties as "
        "halves (sign test, p {p_value:probability}).",
        "Recompensa media: {tuned} {reward:plain}, {baseline} {before:plain}. La respuesta de "
        "{tuned} vale más en el {value:percent} de las filas [{low:percent}, {high:percent}], "
        "los empates como mitades (prueba de los signos, p {p_value:probability}).",
    ),
    "rewards_alone": (
        "The mean reward of {tuned} is {reward:plain}; the model it began as was not measured"
        " beside it.",
        "La recompensa media de {tuned} es {reward:plain}; el modelo del que partió no se "
        "midió a su lado.",
    ),
    "worst_loss": (
        "The {shown:count} wrong rows whose right label the model found least probable.",
        "Las {shown:count} filas falladas cuya etiqueta correcta le pareció menos probable al modelo.",
    ),
    "worst_score": (
        "The {shown:count} rows with the worst score of their own.",
        "Las {shown:count} filas con la peor medida propia.",
    ),
    "robust_lost": (
        "{metric} falls beyond chance for {slices:count} of {changes:count} ways to write the same "
        "questions otherwise; most for: {change}, {before:score} to {after:score} "
        "({difference:difference}).",
        "{metric} baja más de lo que da el azar con {slices:count} de {changes:count} maneras de "
        "escribir de otro modo las mismas preguntas; la que más: {change}, de {before:score} a "
        "{after:score} ({difference:difference}).",
    ),
    "robust_even": (
        "None of {changes:count} ways to write the same questions otherwise is shown to lower {metric} "
        "(at {confidence:whole_percent} for all together).",
        "De {changes:count} maneras de escribir de otro modo las mismas preguntas, no se demuestra que "
        "ninguna baje {metric} (al {confidence:whole_percent} para todas a la vez).",
    ),
    "robust_none": (
        "Not asked again: {change}. No test question changes by it, or its answer's places would move.",
        "No se preguntó de nuevo: {change}. Ninguna pregunta de la prueba cambia, o se moverían los "
        "lugares de su respuesta.",
    ),
    "paraphrases_strange": (
        "{rows:count} other wordings name no row of the test and were not asked.",
        "{rows:count} otras redacciones no nombran ninguna fila de la prueba y no se preguntaron.",
    ),
    "groups_differ": (
        "Groups of {column} fare differently beyond chance: {first} {value:score}, {names} "
        "{other:score}; {difference:difference}, interval {low:difference} to {high:difference}, p "
        "{p_value:probability}.",
        "Los grupos de {column} salen de forma distinta más de lo que da el azar: {first} "
        "{value:score}, {names} {other:score}; {difference:difference}, intervalo de "
        "{low:difference} a {high:difference}, p {p_value:probability}.",
    ),
    "groups_even": (
        "No difference between the groups of {column} is shown: lowest {first} {value:score}, highest "
        "{names} {other:score}, interval of the gap {low:difference} to {high:difference}, p "
        "{p_value:probability}.",
        "No se demuestra ninguna diferencia entre los grupos de {column}: menor {first} {value:score}, "
        "mayor {names} {other:score}, intervalo de la distancia de {low:difference} a "
        "{high:difference}, p {p_value:probability}.",
    ),
    "groups_small": (
        "Nothing can be said about the groups of {names}: fewer than two have {least:count} test rows.",
        "Nada se puede decir de los grupos de {names}: menos de dos tienen {least:count} filas de "
        "prueba.",
    ),
    "swaps_change": (
        "Answers depend on who is named ({swap}): {value:percent} of {rows:count} change, interval "
        "{low:percent} to {high:percent}, where at most {most:percent} should.",
        "Las respuestas dependen de a quién se nombra ({swap}): cambian el {value:percent} de "
        "{rows:count}, intervalo de {low:percent} a {high:percent}, cuando deberían ser como mucho el "
        "{most:percent}.",
    ),
    "swaps_few": (
        "It is not shown that more than {most:percent} of the answers depend on who is named: the most "
        "for {swap}, {value:percent} of {rows:count}, interval {low:percent} to {high:percent}.",
        "No se demuestra que más del {most:percent} de las respuestas dependa de a quién se nombra: lo "
        "más, con {swap}, el {value:percent} de {rows:count}, intervalo de {low:percent} a "
        "{high:percent}.",
    ),
    "swaps_none": (
        "None of {rows:count} test questions holds a term to exchange, so nothing is said about swaps.",
        "Ninguna de las {rows:count} preguntas de la prueba tiene un término que intercambiar, así que "
        "nada se afirma sobre intercambios.",
    ),
}
"""Code to (English, Spanish); part of ``SENTENCES``."""
