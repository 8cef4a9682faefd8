"""Every sentence of the report, in English and Spanish; those of its findings come from there."""

from __future__ import annotations

from collections.abc import Mapping

from afina.evaluate.finding_words import FINDING_SENTENCES
from afina.evaluate.words_of_runs import OF_RUNS

SENTENCES: Mapping[str, tuple[str, str]] = {
    # the rule
    "rule": (
        "ship: better than every baseline in {metric}, each difference above {margin:difference} "
        "at {confidence:whole_percent} confidence in a paired test. hold: shown not to be better "
        "than some baseline by more than that. unproven: neither is shown; the test has too few "
        "rows to tell.",
        "ship (adelante): mejor que todas las referencias en {metric}, con cada diferencia por "
        "encima de {margin:difference} al {confidence:whole_percent} de confianza en una prueba "
        "pareada. hold (alto): se demuestra que no supera en esa medida a alguna referencia. "
        "unproven (sin demostrar): ni lo uno ni lo otro; la prueba tiene muy pocas filas para "
        "decidir.",
    ),
    "rule_goal": (
        "ship: better than every baseline in {metric}, each difference above {margin:difference} "
        "at {confidence:whole_percent} confidence in a paired test, and a measured value of "
        "{bound} {at_least:score}. hold: shown not to be better than some baseline by more than "
        "that, or the whole interval misses the goal. unproven: neither is shown; the test has "
        "too few rows to tell.",
        "ship (adelante): mejor que todas las referencias en {metric}, con cada diferencia por "
        "encima de {margin:difference} al {confidence:whole_percent} de confianza en una prueba "
        "pareada, y un valor medido de {bound} {at_least:score}. hold (alto): se demuestra que "
        "no supera en esa medida a alguna referencia, o el intervalo entero queda fuera del "
        "objetivo. unproven (sin demostrar): ni lo uno ni lo otro; la prueba tiene muy pocas "
        "filas para decidir.",
    ),
    "rule_alone": (
        "No baseline was asked for, so the goal alone decides. ship: the whole interval of "
        "{metric} reaches the goal. hold: the whole interval misses it. unproven: neither, or no "
        "goal.",
        "No se pidió ninguna referencia, así que decide solo el objetivo. ship (adelante): el "
        "intervalo entero de {metric} alcanza el objetivo. hold (alto): el intervalo entero queda "
        "fuera. unproven (sin demostrar): ni lo uno ni lo otro, o no hay objetivo.",
    ),
    # reasons
    "beats": (
        "{tuned} ({value:score}) is better than every baseline. The hardest to beat is {baseline} "
        "({other:score}): {difference:difference}, interval {low:difference} to {high:difference}, "
        "p {p_value:probability}.",
        "{tuned} ({value:score}) supera a todas las referencias. La más difícil de superar es "
        "{baseline} ({other:score}): {difference:difference}, intervalo de {low:difference} a "
        "{high:difference}, p {p_value:probability}.",
    ),
    "not_better": (
        "{tuned} ({value:score}) is shown not to be better than {baseline} ({other:score}) by more "
        "than {margin:difference}: {difference:difference}, interval {low:difference} to "
        "{high:difference}.",
        "Se demuestra que {tuned} ({value:score}) no supera a {baseline} ({other:score}) en más de "
        "{margin:difference}: {difference:difference}, intervalo de {low:difference} a "
        "{high:difference}.",
    ),
    "not_told": (
        "The difference of {tuned} ({value:score}) from {baseline} ({other:score}) is "
        "{difference:difference}, interval {low:difference} to {high:difference}: {rows:count} "
        "test rows are too few to tell. If it stays as it is, about {needed:count} would be "
        "needed.",
        "La diferencia entre {tuned} ({value:score}) y {baseline} ({other:score}) es "
        "{difference:difference}, intervalo de {low:difference} a {high:difference}: {rows:count} "
        "filas de prueba son pocas para decidir. Si se mantiene, harían falta unas {needed:count}.",
    ),
    "no_gain": (
        "{tuned} ({value:score}) shows no gain over {baseline} ({other:score}) that reaches "
        "{margin:difference}: {difference:difference}, interval {low:difference} to "
        "{high:difference} on {rows:count} test rows. More rows alone are unlikely to change that.",
        "{tuned} ({value:score}) no muestra una mejora sobre {baseline} ({other:score}) que "
        "alcance {margin:difference}: {difference:difference}, intervalo de {low:difference} a "
        "{high:difference} con {rows:count} filas de prueba. Más filas, por sí solas, "
        "difícilmente lo cambiarán.",
    ),
    "goal_reached": (
        "The goal of {bound} {at_least:score} in {metric} is reached: {value:score}, interval "
        "{low:score} to {high:score}.",
        "Se alcanza el objetivo de {bound} {at_least:score} en {metric}: {value:score}, "
        "intervalo de {low:score} a {high:score}.",
    ),
    "goal_missed": (
        "The goal of {bound} {at_least:score} in {metric} is missed: {value:score}, interval "
        "{low:score} to {high:score}.",
        "No se alcanza el objetivo de {bound} {at_least:score} en {metric}: {value:score}, "
        "intervalo de {low:score} a {high:score}.",
    ),
    "goal_open": (
        "Whether the goal of {bound} {at_least:score} in {metric} is reached cannot be told: "
        "{value:score}, interval {low:score} to {high:score} on {rows:count} test rows.",
        "No se puede decidir si se alcanza el objetivo de {bound} {at_least:score} en {metric}: "
        "{value:score}, intervalo de {low:score} a {high:score} con {rows:count} filas de prueba.",
    ),
    "no_comparison": (
        "No baseline could be compared in {metric}, so nothing shows that tuning was worth it.",
        "No se pudo comparar ninguna referencia en {metric}, así que nada demuestra que afinar "
        "valiera la pena.",
    ),
    "no_goal": (
        "Neither a baseline nor a goal was given, so there is nothing to judge {metric} against.",
        "No se dio ni referencia ni objetivo, así que no hay con qué juzgar {metric}.",
    ),
    "forgot_answers": (
        "It forgot: of the general questions it has {value:percent} right, the base {other:percent} "
        "({difference:difference}, interval {low:difference} to {high:difference}); at most "
        "{limit:percent} may be lost.",
        "Olvidó: acierta el {value:percent} de las preguntas generales y la base el {other:percent} "
        "({difference:difference}, intervalo de {low:difference} a {high:difference}); se puede "
        "perder como mucho un {limit:percent}.",
    ),
    "forgot_texts": (
        "It forgot: the perplexity of general texts is {value:score}, that of the base "
        "{other:score} ({difference:difference}, interval {low:difference} to {high:difference}): "
        "{grown:percent} more, and at most {limit:percent} is allowed.",
        "Olvidó: la perplejidad de los textos generales es {value:score} y la de la base "
        "{other:score} ({difference:difference}, intervalo de {low:difference} a "
        "{high:difference}): un {grown:percent} más, y se admite como mucho un {limit:percent}.",
    ),
    # notes
    "no_probe": (
        "The general probe could not be asked, so nothing is said about what was forgotten: {what}",
        "No se pudo hacer la prueba general, así que nada se afirma sobre lo olvidado: {what}",
    ),
    "simple_solves": (
        "{baseline} is not shown to be worse than {tuned} in {metric}: the difference is "
        "{difference:difference}, interval {low:difference} to {high:difference}. {baseline} "
        "takes {other_seconds:duration} a request, {tuned} {seconds:duration}. A simple model "
        "may already solve this task.",
        "No se demuestra que {baseline} sea peor que {tuned} en {metric}: la diferencia es de "
        "{difference:difference}, intervalo de {low:difference} a {high:difference}. {baseline} "
        "tarda {other_seconds:duration} por petición y {tuned} {seconds:duration}. Puede que un "
        "modelo sencillo ya resuelva esta tarea.",
    ),
    "failed": (
        "{candidate} could not be measured, so nothing is said about it: {what}",
        "{candidate} no se pudo medir, así que nada se afirma sobre ello: {what}",
    ),
    "not_comparable": (
        "{candidate} has no {metric} and is not compared: {what}",
        "{candidate} no tiene {metric} y no se compara: {what}",
    ),
    "goal_near": (
        "The goal is reached on this test, but the interval of {metric} begins at {low:score} and "
        "the goal is {at_least:score}.",
        "El objetivo se alcanza en esta prueba, pero el intervalo de {metric} empieza en "
        "{low:score} y el objetivo es {at_least:score}.",
    ),
    "goal_near_lower": (
        "The goal is reached on this test, but the interval of {metric} ends at {high:score} and "
        "the goal is {at_least:score}.",
        "El objetivo se alcanza en esta prueba, pero el intervalo de {metric} acaba en "
        "{high:score} y el objetivo es {at_least:score}.",
    ),
    "few_rows": (
        "The test has only {rows:count} rows; the intervals are wide for that reason.",
        "La prueba tiene solo {rows:count} filas; por eso los intervalos son anchos.",
    ),
    "few_rows_in_class": (
        "{classes:count} of {all:count} classes have fewer than {least:count} test rows. An "
        "average over classes rests on few rows there, and its interval is likely too narrow.",
        "{classes:count} de {all:count} clases tienen menos de {least:count} filas de prueba. La "
        "media por clases se apoya ahí en pocas filas y su intervalo es probablemente demasiado "
        "estrecho.",
    ),
    "cut_off": (
        "{answers:count} answers of {candidate} were cut off at the longest length allowed "
        "(task.max_new_tokens).",
        "{answers:count} respuestas de {candidate} se cortaron en la longitud máxima permitida "
        "(task.max_new_tokens).",
    ),
    "cut_inputs": (
        "{candidate} read {rows:count} of {all:count} test rows cut, as they were too long "
        "(train.max_length, train.on_too_long): as in training and as it is served. Other "
        "candidates read them whole or could not be measured.",
        "{candidate} leyó cortadas {rows:count} de las {all:count} filas de prueba, por ser "
        "demasiado largas (train.max_length, train.on_too_long): igual que al entrenar y al servir. "
        "Los demás candidatos las leyeron enteras o no se pudieron medir.",
    ),
    "left_out": (
        "{rows:count} of the {all:count} sealed test rows are too long for the base and were left "
        "out, as train.on_too_long: drop asks. Nothing here is said about such rows.",
        "{rows:count} de las {all:count} filas de prueba selladas son demasiado largas para la base "
        "y se dejaron fuera, como pide train.on_too_long: drop. Nada se afirma sobre filas así.",
    ),
    "tokens_saved": (
        "Against {baseline}, {tuned} needs {saved:count} fewer tokens in the prompt of each "
        "request ({share:percent}).",
        "Frente a {baseline}, {tuned} necesita {saved:count} tokens menos en cada petición "
        "({share:percent}).",
    ),
    "tokenizers": (
        "Perplexities were measured over different numbers of tokens, so the tokenizers differ and "
        "the values cannot be compared: {names}.",
        "Las perplejidades se midieron sobre cantidades distintas de tokens, así que los "
        "tokenizadores difieren y los valores no son comparables: {names}.",
    ),
    "thresholds": (
        "Thresholds of labels, chosen on {rows:count} validation rows by what is wanted: {labels}.",
        "Umbrales elegidos con {rows:count} filas de validación según lo que se pide: {labels}.",
    ),
    "thresholds_cost": (
        "With these thresholds the errors of {tuned} cost {cost:plain} a row of the test; with the "
        "usual ones they would cost {usual:plain}.",
        "Con estos umbrales, los errores de {tuned} cuestan {cost:plain} por fila de la prueba; con los "
        "habituales costarían {usual:plain}.",
    ),
    "threshold_too_few": (
        "{label} keeps the usual threshold: {positives:count} of {rows:count} validation rows have it, "
        "and {least:count} with it and without it are needed to choose.",
        "{label} conserva el umbral habitual: la tienen {positives:count} de {rows:count} filas de "
        "validación, y para elegir hacen falta {least:count} con ella y otras tantas sin ella.",
    ),
    "threshold_out_of_reach": (
        "{label} keeps the usual threshold: on {rows:count} validation rows none reaches a precision "
        "of {precision:percent}.",
        "{label} conserva el umbral habitual: con {rows:count} filas de validación ninguno alcanza una "
        "precisión de {precision:percent}.",
    ),
    # why there is nothing to show of a candidate
    "no_probabilities": (
        "it gives no probabilities of answers",
        "no da probabilidades de las respuestas",
    ),
    "not_finite": (
        "the likelihood of {answers:count} answers is not finite (first: {first})",
        "la verosimilitud de {answers:count} respuestas no es finita (la primera: {first})",
    ),
    "no_tokens_counted": (
        "it counted no tokens in the right answers",
        "no contó ningún token en las respuestas correctas",
    ),
    "no_row_counts": (
        "it counts none of the test's rows",
        "no cuenta ninguna de las filas de la prueba",
    ),
    "no_reference": (
        "the candidate {candidate}, with which it compares, was not measured",
        "no se midió el candidato {candidate}, con el que se compara",
    ),
    "no_room": (
        "the longest question and its answer leave no room for a prompt in {tokens:count} tokens",
        "la pregunta más larga y su respuesta no dejan sitio para instrucciones en {tokens:count} "
        "tokens",
    ),
    "no_row_of_label": (
        "there is no training row of {labels}",
        "no hay ninguna fila de entrenamiento de {labels}",
    ),
    "too_long": (
        "a row has {tokens:count} tokens and the base takes {most:count}",
        "una fila tiene {tokens:count} tokens y la base admite {most:count}",
    ),
    **OF_RUNS,
    # what training warned of
    "overfitting": (
        "Validation loss rises ({before:plain} to {after:plain}) while training loss falls "
        "({was:plain} to {now:plain}): the model begins to learn the rows by heart. Fewer epochs, a "
        "lower rate or more data help.",
        "La pérdida de validación sube (de {before:plain} a {after:plain}) mientras la de "
        "entrenamiento baja (de {was:plain} a {now:plain}): el modelo empieza a aprenderse las filas "
        "de memoria. Ayudan menos épocas, una tasa más baja o más datos.",
    ),
    # the file of expectations
    "rule_tests": (
        "Whatever the scores say, {tuned} must meet every line of {file}.",
        "Digan lo que digan las medidas, {tuned} ha de cumplir todas las líneas de {file}.",
    ),
    "tests_changed": (
        "{file} is not what it was when the run was planned: its lines were changed since.",
        "{file} no es lo que era al planear la ejecución: sus líneas han cambiado desde entonces.",
    ),
    "tests_met": (
        "{tuned} meets all {rows:count} expectations of {file}.",
        "{tuned} cumple las {rows:count} expectativas de {file}.",
    ),
    "tests_failed": (
        "{tuned} fails {failed:count} of the {rows:count} expectations of {file}.",
        "{tuned} incumple {failed:count} de las {rows:count} expectativas de {file}.",
    ),
    "lacks": ("The answer lacks: {wanted}.", "En la respuesta falta: {wanted}."),
    "holds": ("The answer holds: {found}.", "En la respuesta sobra: {found}."),
    "no_match": (
        "The answer does not match: {pattern}.",
        "La respuesta no contiene el patrón: {pattern}.",
    ),
    "differs": ("The answer is not: {wanted}.", "La respuesta no es: {wanted}."),
    "not_json": (
        "The answer is no JSON value: {what}.",
        "La respuesta no es un valor JSON: {what}.",
    ),
    "not_of_schema": (
        "The answer is not what the schema asks for: {what}.",
        "La respuesta no es lo que pide el esquema: {what}.",
    ),
    "other_label": (
        "The answer is {found}, not {wanted}.",
        "La respuesta es {found}, no {wanted}.",
    ),
    "no_number": ("The answer is no number: {found}.", "La respuesta no es un número: {found}."),
    "other_number": (
        "The answer is {found:plain}, not {wanted:plain} ± {within:plain}.",
        "La respuesta es {found:plain}, no {wanted:plain} ± {within:plain}.",
    ),
    "too_many_words": (
        "The answer has {words:count} words; {most:count} are allowed.",
        "La respuesta tiene {words:count} palabras; se admiten {most:count}.",
    ),
    # what people and a model prefer
    "people_prefer": (
        "People prefer {leads}: {first} wins {won:count} questions and loses {lost:count} (win rate "
        "{value:score}, ties half, interval {low:score} to {high:score}; sign test p "
        "{p_value:probability}).",
        "La gente prefiere {leads}: {first} gana {won:count} preguntas y pierde {lost:count} (tasa de "
        "victorias {value:score}, empates a medias, intervalo de {low:score} a {high:score}; prueba "
        "de los signos p {p_value:probability}).",
    ),
    "people_prefer_none": (
        "It is not shown that people prefer {first} or {second}: {first} wins {won:count} questions "
        "and loses {lost:count} of {rows:count} (win rate {value:score}, ties half, interval "
        "{low:score} to {high:score}; sign test p {p_value:probability}).",
        "No se demuestra que la gente prefiera {first} o {second}: {first} gana {won:count} preguntas y "
        "pierde {lost:count} de {rows:count} (tasa de victorias {value:score}, empates a medias, "
        "intervalo de {low:score} a {high:score}; prueba de los signos p {p_value:probability}).",
    ),
    "model_like_people": (
        "{judge} judges as people do: kappa {kappa:plain}, interval {low:plain} to {high:plain}.",
        "{judge} juzga como la gente: kappa {kappa:plain}, intervalo de {low:plain} a {high:plain}.",
    ),
    "model_unlike_people": (
        "What {judge} says decides nothing: its agreement with people is not shown (kappa "
        "{kappa:plain}, interval from {low:plain}).",
        "Lo que dice {judge} no decide nada: no se demuestra que coincida con la gente (kappa "
        "{kappa:plain}, intervalo desde {low:plain}).",
    ),
    "model_unchecked": (
        "What {judge} says decides nothing: there are no answers of people from which its agreement "
        "with them could be told.",
        "Lo que dice {judge} no decide nada: no hay respuestas de personas con las que comprobar si "
        "coincide con ellas.",
    ),
    "model_prefers": (
        "{judge} prefers {leads}: {first} wins {won:count} of {rows:count} questions and loses "
        "{lost:count} (win rate {value:score}, interval {low:score} to {high:score}; p "
        "{p_value:probability}).",
        "{judge} prefiere {leads}: {first} gana {won:count} de {rows:count} preguntas y pierde "
        "{lost:count} (tasa de victorias {value:score}, intervalo de {low:score} a {high:score}; p "
        "{p_value:probability}).",
    ),
    "model_prefers_none": (
        "{judge} prefers neither {first} nor {second} for sure: {first} wins {won:count} of "
        "{rows:count} questions and loses {lost:count} (p {p_value:probability}).",
        "{judge} no prefiere con seguridad ni {first} ni {second}: {first} gana {won:count} de "
        "{rows:count} preguntas y pierde {lost:count} (p {p_value:probability}).",
    ),
    # how samples are drawn
    "samples": (
        "{wrong:count} of these {shown:count} rows were drawn at random from the {errors:count} "
        "that {tuned} got wrong, the others at random from the rest.",
        "De estas {shown:count} filas, {wrong:count} se sortearon entre las {errors:count} en que "
        "{tuned} falló y las demás entre el resto.",
    ),
    "samples_random": (
        "These {shown:count} rows were drawn at random.",
        "Estas {shown:count} filas se eligieron al azar.",
    ),
    **FINDING_SENTENCES,
}
"""Code to (English, Spanish). Both have the same places."""
