"""What the commands share: reading options from a dataclass."""

import tyro


def parse(kind, args, command, *, default=None, description=None):
    """Read command line arguments into the dataclass `kind`; `default` gives the values of those not named."""
    kwargs = {} if default is None else {"default": default}
    return tyro.cli(
        kind,
        args=args,
        prog=f"minigan {command}",
        description=description,
        config=(tyro.conf.OmitArgPrefixes,),
        **kwargs,
    )
