"""The result of attacking each tenant from every other one."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ROW = "{:<34} {:>6} {:>8} {:>6}"


@dataclass(frozen=True)
class Leak:
    """The attacker found what belongs to the victim. Both are schemas; `public` means that none was bound."""

    attack: str
    victim: str
    attacker: str

    def __str__(self) -> str:
        return f"{self.attack}: {self.attacker} reached what belongs to {self.victim}"


@dataclass
class Report:
    """The outcome of all attacks. A `blind` attack does not even find what belongs to the attacker itself."""

    parties: list[str]
    attacks: list[str]
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    leaks: list[Leak] = field(default_factory=list)
    blind: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_proof(self) -> bool:
        """Whether every attack can find something, at least one was tried, and none found another's."""
        return bool(self.tried) and not self.leaks and not self.blind

    def as_text(self) -> str:
        """Return a table, then a line for each fault. Nothing that was planted is in it."""
        leaks = Counter(leak.attack for leak in self.leaks)
        lines = [ROW.format("attack", "tried", "refused", "leaks")]
        lines += [
            ROW.format(name, self.tried[name], self.refused[name], leaks[name]) for name in self.attacks
        ]
        lines.append(ROW.format("all", self.tried.total(), self.refused.total(), len(self.leaks)))
        lines += [f"LEAK {leak}" for leak in self.leaks]
        lines += [f"BLIND {name}: {schema} does not find what is its own" for name, schema in self.blind]
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "is_proof": self.is_proof,
            "seconds": round(self.seconds, 1),
            "schemas": self.parties,
            "attacks": [
                {"attack": name, "tried": self.tried[name], "refused": self.refused[name]}
                for name in self.attacks
            ],
            "leaks": [vars(leak) for leak in self.leaks],
            "blind": [{"attack": name, "schema": schema} for name, schema in self.blind],
        }
