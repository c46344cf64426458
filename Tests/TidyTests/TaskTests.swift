import Testing

/// How tasks begin in the rooms that run on the loop.
@Suite struct TaskTests {
  /// The two helpers are what all others use.
  private static let helpers: Set<String> = [
    // Says why in its documentation.
    "Sources/EventLoop/StartTask.swift",
    // Takes the same closure, and waits.
    "Sources/EventLoop/CleanUp.swift",
  ]

  /// A bare `Task` whose closure does not capture `self` begins on Swift's own threads and hops to the loop with its first call.
  @Test func tasksOfTheLoopAreStartedByTheHelper() throws {
    let bare = try Regex(#"(?:^|[^\w.])Task(?:\.detached|\.immediate)?(?:<[^>]*>)?\s*(?:\(|\{)"#)
    var started = 0
    for file in try Tree.files("Sources") where ["EventLoop", "Node", "Control"].contains(file.room) {
      for (number, text) in file.code {
        if text.contains("startTask {") { started += 1 }
        guard !Self.helpers.contains(file.path), text.contains(bare) else { continue }
        Issue.record("\(file.path):\(number): use startTask, or cleanUp")
      }
    }
    #expect(started > 30, "the sources were not found")
  }
}
