"""A chat template is rendered as it should, and one that would not end is stopped."""

import pytest

from modelscan_plus.probe.interface import NotProbed
from modelscan_plus.probe.language.chat import render

ASKED = [{"role": "user", "content": " hi "}]
GROW = "{% set s = 'aaaaaaaaaa' %}"


def test_a_usual_template_is_rendered() -> None:
    template = """{{ bos_token }}{% for m in messages %}
        {%- if loop.first and m['role'] != 'user' %}{{ raise_exception('the user begins') }}{% endif %}
        {{- '<|' ~ m.role ~ '|>' + m['content'] | trim + eos_token }}
    {%- endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"""
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    assert render(template, ASKED, special) == "<s><|user|>hi</s><|assistant|>"
    assert render(template, ASKED, special, ask=False) == "<s><|user|>hi</s>"
    with pytest.raises(NotProbed, match="the user begins"):
        render(template, [{"role": "system", "content": "x"}], special)


def test_a_template_may_keep_notes_and_mark_what_the_model_wrote() -> None:
    template = (
        "{% set ns = namespace(n=0) %}{% for i in range(3) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}"
        "{% generation %}x{% endgeneration %}{{ messages | tojson }}"
    )
    assert render(template, ASKED, {}) == '3x[{"role": "user", "content": " hi "}]'


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ range(10 ** 9) }}",
        "{{ range(999999999) | list }}",
        "{{ 'a' * 999999999 }}",
        "{{ 7 ** 99999999 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ 'a'.center(999999999) }}",
        "{{ 'a' | center(999999999) }}",
        GROW + "{% set s = s ~ s %}" * 40,
        GROW + "{% set s = s + s %}" * 40,
        GROW + "{% set s %}{{ s }}{{ s }}{% endset %}" * 40,
        GROW + "{% set n = namespace(s=s) %}" + "{% set n.s = n.s ~ n.s %}" * 40,
        "{% set a = [1, 1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
        "{% set n = namespace(a=[1]) %}" + "{% set n.a = [n.a, n.a] %}" * 40 + "{{ n.a }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{" + "(" * 3000 + "1" + ")" * 3000 + "}}",
        "{% include 'config.json' %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ raise_exception.__globals__.json }}",
        "{% for",
    ],
)
def test_a_hostile_template_is_refused(template: str) -> None:
    with pytest.raises(NotProbed):
        render(template, ASKED, {})
