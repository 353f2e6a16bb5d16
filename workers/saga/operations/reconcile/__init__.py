"""The reconciler: whatever became of an instance, the effects at the participants agree with it in the end.

An effect is what a do has left at a participant and no undo has taken back. The engine compensates what completed,
while the instance goes its way; it does nothing for a step that committed and was interrupted, and nothing at all when
an instance is cancelled. So effects are compared with the engine's records, and each is settled: kept, undone, or given
to a person where the records cannot tell.
"""
