"""What people say, of what the templates understand: narrower rules and lists, for drawing only.

The templates understand every form of a verb and every regional word ("decrementá", "ampolleta");
drawn evenly, the rare ones would fill the data. Here stand the forms to draw, in hassil's own
notation and under the names of the package. Understanding the sentence is still left to the
package's own templates: a form that they do not know is recognised by nobody, and counted.
"""

from __future__ import annotations

RULES = {
    "abre": "(abre|abrir|sube)",
    "apaga": "(apaga|apagar|desactiva)",
    "are_all": "están (todos los|todas las)",
    "are_any": "(hay|hay alg(ún|una))",
    "aspiradora": "(el aspirador|la aspiradora)",
    "añadir": "(añade|añadir|apunta|pon)",
    "baja": "(baja|bajar|reduce)",
    "cierra": "(cierra|cerrar|baja)",
    "completa_compra": "completa",
    "cual_es": "(cuál es [el|la] |cuáles son [los|las] )",
    "dime": "(dime|sabes|decirme)",
    "ejecuta": "(inicia|iniciar|activa)",
    "elimina": "(elimina|eliminar|borra)",
    "enciende": "(enciende|encender|prende|activa)",
    "establece": "(pon|poner|ajusta|cambia)",
    "establece_sube_baja": "(pon|poner|ajusta|sube|baja)",
    "estado_compra": "(comprado|hecho)",
    "how_is": "cómo (está|están)",
    "is": "(está|están)",
    "lista_compra": "(mi|la) lista [de la compra|de compras]",
    "lista_compra_explicita": "(mi|la) lista de (la compra|compras)",
    "light": "[las|los] (luces|lámparas|bombillas|luz)",
    "luces": "[el|la|los|las] (luz|luces|lámpara[s]|bombilla[s])",
    "marca": "marca",
    "nb_hours": "({timer_hours:hours}|{timer_hours:hours}|{timer_words_hours:hours})",
    "nb_minutes": "({timer_minutes:minutes}|{timer_minutes:minutes}|{timer_words_minutes:minutes})",
    "nb_seconds": "{timer_seconds:seconds}",
    "nb_start_hours": "({timer_hours:start_hours}|{timer_words_hours:start_hours})",
    "nb_start_minutes": "{timer_minutes:start_minutes}",
    "nb_start_seconds": "{timer_seconds:start_seconds}",
    "pausa": "(pausa|pausar|para|detén)",
    "porciento": "(%|por ciento)",
    "quita": "(quita|quitar)",
    "reproduce": "(reproduce|reproducir|pon|poner)",
    "state": "(estado|valor)",
    "sube": "(sube|subir|aumenta)",
    "suprime": "retira",
    "tacha": "(tacha|tachar)",
    "temp": "[la] temperatura",
    "temporizador": "([el] temporizador|[el] temporizador|[la] cuenta atrás)",
    "timer_cancel": "(cancela|cancelar|elimina|borra)",
    "timer_set": "(pon|poner|crea|inicia)",
    "todas_partes": "([en] todas partes|de [la] casa)",
    "todos": "(todos los|todas las)",
    "vol": "[el|la] (volumen|música)",
    "what_is": "(cuál es|dime)",
    "which": "qué",
}
"""Expansion rules, by the names of the package."""

LISTS = {
    "brightness_level": "(máximo|mínimo)",
    "color": "(blanco|rojo|naranja|amarillo|verde|azul|morado|rosa)",
    "cover_classes": "(persiana|cortina|ventana|toldo)[s]",
    "cover_states": "(abiert|cerrad)(o|a)[s]",
    "on_off_states": "(encendid|apagad)(o|a)[s]",
    "timer_half": "medi(o|a)",
    "timer_words_hours": "una",
    "timer_words_minutes": "un",
}
"""Words for the holes that the package fills itself; what they stand for, it says."""
