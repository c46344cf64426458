internal import EventLoop

extension StoreError {
  /// Throws `stopped` in a job that nobody wants any more. Loops over many files ask before each.
  static func throwIfStopped() throws(StoreError) {
    if StopSignal.isSet { throw StoreError(.stopped, detail: "it was stopped before its end") }
  }
}
