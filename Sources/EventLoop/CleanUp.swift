/// Runs `body` to its end, whatever becomes of the calling task: in a task of its own, which nobody cancels.
///
/// Work on disks, sockets and threads is refused in a task that was canceled. So clean-up that may run in one goes in here.
public func cleanUp(_ body: @escaping @Sendable () async -> Void) async { await Task { await body() }.value }
