"""The commands of `harness`, a module each: its options, what it does, what it prints.

`harness gpu-check` is in gpu_check/, beside what it checks.
"""
