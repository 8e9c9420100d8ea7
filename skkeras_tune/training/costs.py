"""What training takes, about: measured on two cores, for choosing between programs."""

#: Seconds of a step, whatever it computes.
STEP_SECONDS = 20e-6
#: Seconds of a step for each weight and row of the batch, forwards and back.
WEIGHT_ROW_SECONDS = 2e-10
#: Seconds that another program takes to trace and compile, at least.
PROGRAM_SECONDS = 0.3
