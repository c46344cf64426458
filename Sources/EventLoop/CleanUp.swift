/// Runs `body` to its end, whatever becomes of the calling task: in a task of its own, which nobody cancels, on the caller's actor.
///
/// Work on disks, sockets and timers is refused in a task that was canceled. So clean-up that may run in one goes in here.
public func cleanUp(
  @_inheritActorContext(always) @_implicitSelfCapture _ body: sending @escaping @isolated(any) () async -> Void
) async { await Task(operation: body).value }
