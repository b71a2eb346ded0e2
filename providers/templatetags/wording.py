"""Stored values in words, for templates: `{% load wording %}{{ change.old|shown }}`."""

from django import template

from providers import wording

register = template.Library()
register.filter("shown", wording.shown)
