"""Generated tasks for sequence models: adding, addition, copying and parity."""

from nnjax.data.tasks.adding import Adding
from nnjax.data.tasks.addition import Addition
from nnjax.data.tasks.copying import Copy
from nnjax.data.tasks.parity import Parity

__all__ = ["Adding", "Addition", "Copy", "Parity"]
