"""From stored results to tables, statistics, verdicts and figures."""
