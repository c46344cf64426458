internal import Primitives
internal import Artifact
internal import Wire

/// Why a frame is not read: its connection is to be closed.
public enum FrameRefusal: Error, Hashable, Sendable {
  /// The connection belongs to nothing under way.
  case unknownConnection
  /// Not asked for, or had already.
  case unasked
  /// Not as long as its chunk is.
  case badLength
}

/// What becomes of a frame.
public enum FrameDecision: Sendable {
  /// It is the next one of a grant: open it with the ticket.
  case take(FrameTicket)
  /// It may have overtaken its grant. Keep it, read no further, and ask again after the next ``PullEvent/granted(_:_:)``; if
  /// none brings its grant within ``PullLimits/grantPatience``, close the connection.
  case early
  /// Close the connection.
  case refuse(FrameRefusal)
}

/// What a worker found in a frame.
public enum FrameVerdict: Hashable, Sendable {
  /// The tag and the leaf are right, and the chunk was written.
  case good
  /// The tag is wrong.
  case badTag
  /// The tag is right and the leaf is wrong.
  case badLeaf
}

/// The right to open one frame that was asked for. Made once for each, handed to a worker.
public struct FrameTicket: Sendable {
  /// Where the frame came in.
  public let connection: ConnectionID
  /// Who sealed it.
  public let source: SourceID
  /// What it carries.
  public let kind: SegmentKind
  /// The file's place in the manifest; 0 for kind 1.
  public let file: Int
  /// The chunk or piece.
  public let chunk: Int
  /// Where the chunk begins in its file, or the piece in its object.
  public let offset: UInt64
  /// How long it is.
  public let plaintextBytes: Int
  /// What the chunk must hash to: kind 0 has one, and a chunk counts only if it does.
  let leaf: Digest?
  private let cipher: SegmentCipher

  var grant: GrantID { cipher.grant }

  init(
    connection: ConnectionID, source: SourceID, kind: SegmentKind, file: Int, chunk: Int, offset: UInt64,
    plaintextBytes: Int, leaf: Digest?, cipher: SegmentCipher
  ) {
    self.connection = connection
    self.source = source
    self.kind = kind
    self.file = file
    self.chunk = chunk
    self.offset = offset
    self.plaintextBytes = plaintextBytes
    self.leaf = leaf
    self.cipher = cipher
  }

  /// Opens a whole frame of kind 0 and, if tag and leaf are right, lends the chunk to `write`. On any thread.
  ///
  /// `write` sees no byte that is not the artifact's. Throws what `write` throws.
  @unsafe public func verify(
    _ frame: UnsafeRawBufferPointer, write: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> FrameVerdict {
    guard let leaf, unsafe isHeader(of: frame) else { return .badTag }
    var verdict = FrameVerdict.badTag
    do {
      try unsafe cipher.open(frame) { plaintext in
        guard unsafe HashTree.leaf(plaintext) == leaf else {
          verdict = .badLeaf
          return
        }
        verdict = .good
        try unsafe write(plaintext)
      }
    } catch  where verdict != .good {
      return .badTag
    }
    return verdict
  }

  /// Opens a whole frame of kind 1 or 2. Nil if its tag is wrong. On any thread.
  @unsafe public func openPiece(_ frame: UnsafeRawBufferPointer) -> [UInt8]? {
    guard leaf == nil, unsafe isHeader(of: frame) else { return nil }
    return unsafe try? cipher.open(frame) { unsafe [UInt8]($0) }
  }

  /// Opens a whole frame of kind 1 or 2 that lies in an array. Nil if its tag is wrong.
  public func openPiece(_ frame: [UInt8]) -> [UInt8]? {
    unsafe frame.withUnsafeBytes { unsafe openPiece($0) }
  }

  /// Whether the header in front of a frame is the one that the ticket was given for.
  private func isHeader(of frame: UnsafeRawBufferPointer) -> Bool {
    guard frame.count == SegmentHeader.byteCount + plaintextBytes + BulkCipher.tagBytes else { return false }
    let header = SegmentHeader(grant: grant, file: UInt32(file), chunk: UInt64(chunk), plaintextBytes: plaintextBytes)
    return unsafe header.bytes.elementsEqual(frame.prefix(SegmentHeader.byteCount))
  }
}
