internal import EventLoop
internal import Logging
internal import Store

/// What one peer may take of what all share.
extension Peer {
  /// Questions of one peer that may wait for their answers. A node of ours has 64 under way (``ReplyDesk/maximumWaiting``); after a link
  /// was down, those of its commands that gave up meanwhile arrive together with the new ones.
  static let maximumQueries = 512

  /// The link with its place among the descriptors; nil: there is none. A peer's second link and those that follow have half of them
  /// between them, so that they keep nobody's first one out.
  func seated(_ link: Link) -> Link? {
    let descriptors = context.descriptors
    let isExtra = !links.isEmpty && descriptors.inUse(by: .link) >= (descriptors.share(of: .link) + 1) / 2
    guard !isExtra, let permit = descriptors.take(.link) else {
      context.peerLog.note(
        .warning, "a link is refused: too many descriptors are in use", peer: row.alias,
        metadata: ["links": "\(descriptors.inUse(by: .link))", "limit": "\(descriptors.limit)"])
      return nil
    }
    var link = link
    link.permit = permit
    return link
  }
}
