"""What lab machines boot: kernels, initrds, disks, and the command lines that start them."""
