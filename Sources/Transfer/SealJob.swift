internal import Artifact
public import Primitives

/// One chunk to read, seal and send: once. Only a ``ServeMachine`` makes these, and it makes each only once.
public struct SealJob: Sendable {
  /// Where the frame goes.
  public let connection: ConnectionID
  /// The grant it belongs to.
  public var grant: GrantID { cipher.grant }
  /// The artifact.
  public let digest: Digest
  /// What to read from.
  public let kind: SegmentKind
  /// The file's place in the manifest; 0 for kind 1.
  public let file: Int
  /// The chunk, or the piece of the object.
  public let chunk: Int
  /// Where it begins: in the file, or in the object of kinds 1 and 2.
  public let offset: UInt64
  /// How long it is.
  public let plaintextBytes: Int
  let request: RequestNumber
  let transfer: TransferID
  private let cipher: SegmentCipher

  /// How long its frame is: header, ciphertext and tag.
  public var frameBytes: Int { SegmentHeader.byteCount + plaintextBytes + BulkCipher.tagBytes }

  init(_ grant: ServeGrant, file: Int, chunk: Int, offset: UInt64, plaintextBytes: Int) {
    connection = grant.connection
    digest = grant.digest
    kind = grant.kind
    self.file = file
    self.chunk = chunk
    self.offset = offset
    self.plaintextBytes = plaintextBytes
    request = grant.request
    transfer = grant.transfer
    cipher = grant.cipher
  }

  /// Writes the whole frame to the front of `frame`, and returns its length. On any thread.
  ///
  /// The plaintext may lie in the frame itself, from byte 32 on. To be called once: if reading or sending fails afterwards,
  /// the chunk is not sent under this grant any more. Throws `badLength` if the plaintext is not as long as the chunk.
  @unsafe public func seal(
    _ plaintext: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer
  ) throws(CryptoError) -> Int {
    guard plaintext.count == plaintextBytes else { throw CryptoError(.badLength) }
    return try unsafe cipher.seal(file: UInt32(file), chunk: UInt64(chunk), plaintext: plaintext, into: frame)
  }
}

/// A grant on the serving side, and how far it has got.
struct ServeGrant: Sendable {
  let connection: ConnectionID
  let request: RequestNumber
  let transfer: TransferID
  let digest: Digest
  let kind: SegmentKind
  let cipher: SegmentCipher
  private let artifact: ServedArtifact
  private var cursor: RangeCursor

  var id: GrantID { cipher.grant }

  init(_ grant: Grant, artifact: ServedArtifact, cipher: SegmentCipher) {
    connection = grant.connection
    request = grant.request
    transfer = grant.transfer
    digest = grant.digest
    kind = grant.kind
    self.cipher = cipher
    self.artifact = artifact
    let object = PieceLayout(sizeBytes: grant.objectBytes ?? 0)
    cursor = RangeCursor(
      grant.kind == .manifest ? [ChunkRange(file: 0, first: 0, count: object.count)] : grant.ranges)
  }

  mutating func nextJob() -> SealJob? {
    guard let (file, chunk) = cursor.next else { return nil }
    cursor.advance()
    let layout = artifact.manifest.layout(of: file)
    let piece = UInt64(chunk) * UInt64(TransferLimits.pieceBytes)
    switch kind {
    case .chunks:
      return SealJob(
        self, file: file, chunk: chunk, offset: layout.range(of: chunk).lowerBound, plaintextBytes: layout.length(of: chunk))
    case .leafList:
      return SealJob(self, file: file, chunk: chunk, offset: piece, plaintextBytes: layout.leafPieces.length(of: chunk))
    case .manifest:
      let object = PieceLayout(sizeBytes: artifact.objectBytes)
      return SealJob(self, file: file, chunk: chunk, offset: piece, plaintextBytes: object.length(of: chunk))
    }
  }
}
