"""The leaderboard: records in, tables out. Imports no torch, no task and no method."""
