public import Artifact
public import Primitives

/// A peer that a transfer may pull from, numbered by the caller.
public struct SourceID: Hashable, Sendable {
  /// The number.
  public let value: Int

  /// A number of the caller's choice.
  public init(_ value: Int) { self.value = value }
}

/// What is to be fetched, once the manifest is known. Making one takes time in proportion to the files, everything after it only
/// in proportion to what happens: make it on a worker.
public struct PullPlan: Sendable {
  /// The verified manifest.
  public let manifest: Manifest
  /// The selected files, sorted into what is done and what is to do.
  let board: FileBoard
  /// What follows from that at once.
  let actions: [PullAction]

  /// A plan.
  ///
  /// - Parameters:
  ///   - manifest: the verified manifest.
  ///   - selection: the places in it of the files to fetch.
  ///   - verified: chunks that an earlier run verified and wrote; nil for none.
  ///   - mustRehash: whether those have to be read and hashed again before they count: the machine was started anew since.
  public init(manifest: Manifest, selection: [Int], verified: ResumeMap? = nil, mustRehash: Bool = false) {
    self.manifest = manifest
    var board = FileBoard(manifest, selection: selection, verified: verified, mustRehash: mustRehash)
    actions = board.start()
    self.board = board
  }
}

/// Why a transfer ended, or why a source is not asked any more. A reason is safe to print; paths in it are the manifest's.
public struct PullFailure: Error, Hashable, Sendable {
  /// What went wrong.
  public enum Code: Hashable, Sendable {
    /// The artifact is not there, or not for us.
    case notFound
    /// A file is no longer what was published.
    case changed(SafePath?)
    /// It was withdrawn meanwhile, or a file of it is no longer there.
    case gone(SafePath?)
    /// The peer cannot read a file of it.
    case unreadable(SafePath?)
    /// The peer puts us off each time.
    case busy
    /// A peer sent what is not the artifact's, under its own seal.
    case integrity
    /// Nobody to ask.
    case unreachable
    /// No progress for 30 seconds.
    case stalled
    /// The peer refuses our requests as senseless.
    case refused
    /// The peer does not keep to the protocol.
    case protocolViolation
  }

  /// Kinds of failure that a caller treats alike.
  public enum Category: Hashable, Sendable {
    /// There is no such thing for us.
    case notFound
    /// Bytes are not what they should be.
    case integrity
    /// Try again later; what is there is kept.
    case unreachable
    /// Anything else.
    case failed
  }

  /// What went wrong.
  public let code: Code
  /// Who is to blame, if somebody is.
  public let source: SourceID?
  /// For people.
  public let reason: String

  init(_ code: Code, source: SourceID? = nil, _ reason: String) {
    self.code = code
    self.source = source
    self.reason = reason
  }

  /// The kind of failure.
  public var category: Category {
    switch code {
    case .notFound, .gone: .notFound
    case .integrity: .integrity
    case .unreachable, .stalled, .busy, .unreadable: .unreachable
    case .changed, .refused, .protocolViolation: .failed
    }
  }
}

/// Where a transfer stands.
public enum PullState: Hashable, Sendable {
  /// The manifest is being fetched.
  case manifest
  /// The manifest was handed over; a ``PullEvent/plan(_:)`` is awaited.
  case planning
  /// Chunks are being fetched.
  case running
  /// Every selected file is whole and verified.
  case complete
  /// Over, and resumable by another machine with the same plan.
  case failed(PullFailure)
  /// Stopped by the user, and as resumable.
  case stopped
}

/// What happened.
public enum PullEvent: Sendable {
  /// A source is linked and its session confirmed: it may be asked. Said again after each new link.
  case sourceAvailable(SourceID, node: Digest)
  /// A source's link is down: it is not asked until it is back. Its open data connections go on.
  case sourceLost(SourceID)
  /// The manifest is known and being judged: nobody is asked for it, unless it turns out to be bad.
  case manifestKnown
  /// What to fetch: the answer to ``PullAction/manifest(_:from:)``, or at once where the manifest is known.
  case plan(PullPlan)
  /// The object of ``PullAction/manifest(_:from:)`` is not the artifact's manifest.
  case manifestBad(String)
  /// A grant for this transfer came in an envelope of that session.
  case granted(Grant, SegmentSession)
  /// A refusal for this transfer came.
  case denied(Deny)
  /// A data connection is open, whoever dialled it, and frames may come.
  case connectionOpened(ConnectionID)
  /// A data connection ended or could not be dialled.
  case connectionClosed(ConnectionID)
  /// A piece of kind 1 or 2 was opened: its plaintext.
  case opened(FrameTicket, [UInt8])
  /// A chunk of kind 0 was opened, is the leaf's, and was written.
  case verified(FrameTicket)
  /// A frame's tag is wrong. The path is to blame.
  case badTag(FrameTicket)
  /// A chunk is not the leaf's though its tag is right. The peer is to blame.
  case badLeaf(FrameTicket)
  /// A frame that was taken will not be worked on.
  case lost(FrameTicket)
  /// The answer to ``PullAction/verifyLeafList(file:_:)``; nil if the list does not lead to the root.
  case leafList(file: Int, LeafList?)
  /// The answer to ``PullAction/rehash(file:_:)``: for each chunk whether what is on disk is the leaf's.
  case rehashed(file: Int, [Bool])
  /// Time passed: about once a second.
  case tick
  /// The user does not want to go on for now.
  case stop
}

/// What to do.
public enum PullAction: Sendable {
  /// Send a request to a source. If it brings a connection key and the peer dialled the link, expect the connection first.
  case send(SourceID, Want)
  /// The first grant for a connection came: whoever dialled the link dials it and attaches with this key.
  case open(SourceID, ConnectionID, key: SecretBox)
  /// Close a connection, or stop expecting it. No event is wanted in return.
  case close(ConnectionID)
  /// The signed manifest as it came: verify it, decide what to fetch, and answer with ``PullEvent/plan(_:)`` or
  /// ``PullEvent/manifestBad(_:)``.
  case manifest([UInt8], from: SourceID)
  /// Make a ``LeafList`` of it on a worker, and answer with ``PullEvent/leafList(file:_:)``.
  case verifyLeafList(file: Int, [UInt8])
  /// Hash what is on disk of a file against its leaves, and answer with ``PullEvent/rehashed(file:_:)``.
  case rehash(file: Int, LeafList)
  /// A source is not asked any more, for this reason.
  case drop(SourceID, PullFailure)
  /// Save the maps of these files.
  case persist([Int])
  /// All chunks of a selected file are verified and written. Said once for each.
  case fileComplete(Int)
  /// All selected files are.
  case complete
  /// It ends here. Resumable.
  case failed(PullFailure)
}
