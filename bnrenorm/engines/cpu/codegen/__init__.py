"""How Python becomes machine code: numba with what it lacks."""
