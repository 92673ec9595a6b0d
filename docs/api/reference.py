"""What griffe reads the package with, for the pages beside this file."""

import re

import griffe

EXAMPLE = re.compile(r"^(?:Example:\n+)?((?:>>> .*\n?)(?:.+\n?)*)", re.MULTILINE)


def as_code(text):
    """A docstring with its examples fenced: Markdown takes `>>>` for a quotation."""
    return EXAMPLE.sub(lambda match: f"\n```pycon\n{match[1].rstrip()}\n```\n", text)


def show_names(package):
    """Puts each name of `__all__` where griffe sees the module of the same name."""
    for name in package.exports or ():
        member = package.members[name]
        if member.is_module and member.exports:
            show_names(member)
        elif member.is_module:
            package.set_member(name, griffe.Alias(name, member.members[name], parent=package))


class Reference(griffe.Extension):
    """Called while the package is read."""

    def on_instance(self, *, obj, **kwargs):
        if obj.docstring:
            obj.docstring.value = as_code(obj.docstring.value)

    def on_package(self, *, pkg, **kwargs):
        for package in list(pkg.modules.values()):
            show_names(package)
