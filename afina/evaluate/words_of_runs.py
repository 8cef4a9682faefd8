"""Words of the report about a run: its training, its several tasks, the stages before it."""

from __future__ import annotations

from collections.abc import Mapping

RUNS: Mapping[str, tuple[str, str]] = {
    # several tasks in one run
    "tasks": ("Tasks", "Tareas"),
    "tasks_about": (
        "One body learned all tasks. Each was measured on its own sealed test; the model ships only "
        "if every task does.",
        "Un mismo cuerpo aprendió todas las tareas. Cada una se midió con su propia prueba sellada; "
        "el modelo solo sale adelante si todas lo hacen.",
    ),
    "whole_report": ("the whole report of this task", "el informe completo de esta tarea"),
    # stages in sequence
    "stages": ("Stages and tasks", "Etapas y tareas"),
    "stages_about": (
        "Each row: the model after a stage, on the sealed test of each task, under the head that the "
        "task was learned with. Each test was opened as often as is said.",
        "Cada fila: el modelo tras una etapa, en la prueba sellada de cada tarea y con la cabeza con "
        "que esta se aprendió. Cada prueba se abrió las veces que se indica.",
    ),
    "stage": ("Stage", "Etapa"),
    "openings": ("openings of the test", "aperturas de la prueba"),
    "transfer": ("Backward transfer", "Transferencia hacia atrás"),
    "transfer_about": (
        "Backward transfer is what the later stages changed on an earlier task; below zero the model "
        "forgot. Its mean, over scores that are shares:",
        "La transferencia hacia atrás es lo que las etapas posteriores cambiaron en una tarea "
        "anterior; por debajo de cero, el modelo olvidó. Su media, en las medidas que son "
        "proporciones:",
    ),
}

OF_RUNS: Mapping[str, tuple[str, str]] = {
    # one verdict on several tasks
    "tasks_ship": (
        "Tuning was worth it for every task: {tasks}.",
        "Ha valido la pena afinar para todas las tareas: {tasks}.",
    ),
    "tasks_hold": (
        "All tasks share one model, and it is not good enough for {tasks}.",
        "Todas las tareas comparten un modelo, y no es lo bastante bueno para {tasks}.",
    ),
    "tasks_unproven": (
        "All tasks share one model, and for {tasks} the test cannot tell.",
        "Todas las tareas comparten un modelo, y para {tasks} la prueba no permite decidir.",
    ),
}
"""Sentences by their code, as ``sentences.SENTENCES`` holds them."""
