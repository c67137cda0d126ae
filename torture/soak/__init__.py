"""The soak: `syncer watch` for hours, while both sides are edited all the time and each minute something goes wrong.

`python -m torture.soak --minutes 120 --seed 1`, or `make soak`. A message that was touched on one side is left alone on
the other until the next quiet point. There everything must be equal on both sides, and as the book says, message by
message; then anything may be touched by anyone again. So the book is exact, and knows nothing of the program.
"""
