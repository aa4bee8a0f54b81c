"""One HTML file that tells a run to someone who never opens the code: verdict, charts, tables, settings, origin."""
