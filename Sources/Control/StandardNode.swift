internal import API

/// How `pawl up` makes its node.
public let standardNode: MakeNode = { _ in
  throw Failure(.failed, "this build has no node")
}
