"""What all regions share, such as IAM's roles: a stack of one region looks through it while
one of another region adds to it, which ends the look in Python."""

from moto.iam.models import IAMBackend
from moto.route53.models import Route53Backend
from moto.s3.models import S3Backend

from . import patches


class Shared(dict):
    """A dict of which a reader goes through what it had when the reader began."""

    def __iter__(self):
        return iter(list(super().keys()))

    def keys(self):
        return list(super().keys())

    def values(self):
        return list(super().values())

    def items(self):
        return list(super().items())


def install():
    for backend in (IAMBackend, Route53Backend, S3Backend):
        patches.replace(backend, __init__=sharing(backend.__init__))


def sharing(init):
    """An __init__ that has the backend's dicts shared."""

    def wrapped(self, *args, **kwargs):
        init(self, *args, **kwargs)
        for name, value in vars(self).items():
            if type(value) is dict:
                setattr(self, name, Shared(value))

    return wrapped
