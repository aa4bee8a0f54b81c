"""The contenders' implementations on a GPU: functions (job, replicas, device) that return a `benchmarks.peers.Run`."""
