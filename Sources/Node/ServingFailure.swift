internal import Store
internal import Transfer

extension DenyReason {
  /// What a peer is told of a failure to read what it may have. What passes by itself is `busy`: only a cause that is known to
  /// last may end its pull.
  init(because error: any Error) {
    self =
      switch (error as? StoreError)?.code {
      case .sourceChanged, .sourceTouched, .symlinkInSource, .specialFile: .changed
      case .sourceMissing: .gone
      case .sourceUnreadable: .unreadable
      default: .busy
      }
  }
}
