/// Starts a task that begins on the caller's actor, whatever its closure captures: for an actor that is pinned to a loop, on that loop.
///
/// The closure of a bare `Task` belongs to the actor only if it captures `self`. One that does not begins on Swift's own threads, and
/// comes back with its first call: two changes of thread, and the order in which tasks begin is anybody's guess.
/// From a context that belongs to no actor it is a bare `Task`.
@discardableResult
public func startTask<Value: Sendable>(
  @_inheritActorContext(always) @_implicitSelfCapture _ body: sending @escaping @isolated(any) () async -> Value
) -> Task<Value, Never> { Task(operation: body) }

/// The same for a task that may throw.
@discardableResult
public func startTask<Value: Sendable>(
  @_inheritActorContext(always) @_implicitSelfCapture _ body: sending @escaping @isolated(any) () async throws -> Value
) -> Task<Value, any Error> { Task(operation: body) }
