"""nnjax: a research framework for neural networks on JAX.

Importing the package imports nothing else; take what you need from its parts::

    from nnjax.models import CNN
    from nnjax.learners import Supervised
    from nnjax.training import fit
"""

from nnjax import moved

__version__ = "0.1.0"

moved.install()
