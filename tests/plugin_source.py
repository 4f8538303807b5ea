"""Source text of a plugin that trains, for tests that install one."""

from __future__ import annotations

# ``losses`` is the body of the method that returns them; braces are doubled for ``str.format``.
LEARNER = '''
import torch
from i2ibench import Phase, TrainableModel

class Learner(TrainableModel):
    """Add a learned colour."""
    def __init__(self, config):
        super().__init__(config)
        self.colour = torch.nn.Parameter(torch.zeros(1, 3, 1, 1))
    def initialize(self, generator):
        torch.nn.init.zeros_(self.colour)
    def optimizers(self):
        return {{"colour": torch.optim.Adam(self.parameters(), lr=0.1)}}
    def translate(self, source):
        return source + self.colour
    def training_phases(self, batch):
        yield Phase("colour", lambda: self.losses(batch))
    def losses(self, batch):
        {losses}
'''
