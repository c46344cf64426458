internal import API

/// What to do about files that a check found wrong.
enum CheckHint {
  /// One hint for what was pulled, one for what is shared from here; both where both are wrong.
  static func text(_ result: CheckResult) -> String {
    let wrong = result.files.filter(\.state.isWrong)
    let pulled = wrong.filter { $0.publisher != nil }
    var hints: [String] = []
    if let first = pulled.first {
      let again = pulled.allSatisfy { $0.state == .missing } ? "pull it again" : "pull it again with --conflict overwrite"
      hints.append("\(again), or drop it from the records: pawl forget \(reference(to: first, among: pulled))")
    }
    if pulled.count < wrong.count {
      hints.append(
        "share again what was meant to change; withdraw a version that cannot be served any more: pawl unshare NAME@vN")
    }
    return hints.joined(separator: "; ")
  }

  /// What names all of the files, or the form of it where they are of several artifacts.
  private static func reference(to file: CheckResult.File, among files: [CheckResult.File]) -> String {
    guard files.allSatisfy({ $0.artifact == file.artifact && $0.publisher == file.publisher }) else { return "PEER/NAME" }
    return "\(file.publisher ?? "PEER")/\(file.artifact)"
  }
}
