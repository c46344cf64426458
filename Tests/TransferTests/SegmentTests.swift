import Primitives
import Testing
import Wire

@testable import Transfer

@Suite struct SegmentTests {
  private func grant(
    secret: SecretBox = secret(1), kind: SegmentKind = .chunks, aead: BulkCipher.Algorithm = .aes256gcm,
    digest: Digest = Nodes.other, transfer: TransferID = id(1), gid: GrantID = id(2)
  ) -> Grant {
    Grant(
      request: 1, grant: gid, secret: secret, kind: kind, aead: aead, digest: digest, transfer: transfer, ranges: [],
      connection: id(3), objectBytes: nil)
  }

  private let context = SegmentContext(session: id(4), server: Nodes.server, puller: Nodes.puller)

  private func key(_ grant: Grant, _ context: SegmentContext) -> [UInt8] {
    SegmentKey.derive(from: grant, context: context).copyBytes()
  }

  private func sealed(_ cipher: SegmentCipher, file: UInt32 = 3, chunk: UInt64 = 5, _ plaintext: [UInt8]) throws -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: 48 + plaintext.count)
    _ = try frame.withUnsafeMutableBytes { frame in
      try plaintext.withUnsafeBytes { try cipher.seal(file: file, chunk: chunk, plaintext: $0, into: frame) }
    }
    return frame
  }

  private func opened(_ cipher: SegmentCipher, _ frame: [UInt8]) -> [UInt8]? {
    frame.withUnsafeBytes { frame in try? cipher.open(frame) { [UInt8]($0) } }
  }

  @Test func theKeyIsTheFormulaOfTheProtocol() {
    var info = Array("pawl/1 segment".utf8) + [0, 1]
    info += context.session.bytes + Nodes.server.bytes + Nodes.puller.bytes + TransferID(high: 7, low: 1).bytes
    info += GrantID(high: 7, low: 2).bytes + Nodes.other.bytes
    var material = HKDF.derive(
      salt: [UInt8](repeating: 0, count: 32), ikm: SecretBytes(copying: [UInt8](repeating: 1, count: 32)), info: info, count: 32
    )
    #expect(key(grant(), context) == material.takeBytes(32))
  }

  @Test func whateverTheKeyBindsChangesIt() {
    let keys = [
      key(grant(), context), key(grant(secret: secret(2)), context), key(grant(kind: .manifest), context),
      key(grant(kind: .leafList), context), key(grant(aead: .chachaPoly), context), key(grant(digest: Nodes.server), context),
      key(grant(transfer: id(9)), context), key(grant(gid: id(9)), context),
      key(grant(), SegmentContext(session: id(9), server: Nodes.server, puller: Nodes.puller)),
      key(grant(), SegmentContext(session: id(4), server: Nodes.other, puller: Nodes.puller)),
      key(grant(), SegmentContext(session: id(4), server: Nodes.server, puller: Nodes.other)),
      key(grant(), SegmentContext(session: id(4), server: Nodes.puller, puller: Nodes.server)),
    ]
    #expect(Set(keys).count == keys.count)
  }

  @Test func aHeaderHasTheBytesOfTheProtocol() throws {
    let header = SegmentHeader(
      grant: GrantID(high: 0x0102_0304_0506_0708, low: 0x1112_1314_1516_1718), file: 0x0A0B0C0D, chunk: 0x2122_2324,
      plaintextBytes: 100)
    let expected: [UInt8] =
      [0, 0, 0, 144] + [1, 2, 3, 4, 5, 6, 7, 8, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18] + [0x0A, 0x0B, 0x0C, 0x0D]
      + [0, 0, 0, 0, 0x21, 0x22, 0x23, 0x24]
    #expect(header.bytes == expected)
    var frame = [UInt8](repeating: 0xFF, count: 32)
    frame.withUnsafeMutableBytes { header.write(into: $0) }
    #expect(frame == expected)
    #expect(try SegmentHeader(parsing: expected.span) == header)
    #expect(header.sealedBytes == 116 && header.plaintextBytes == 100)
  }

  @Test func aHeaderThatIsCutOrOfAnEmptyFrameIsRefused() {
    func failure(_ bytes: [UInt8]) -> WireError? {
      do {
        _ = try SegmentHeader(parsing: bytes.span)
        return nil
      } catch { return error }
    }
    let tail = [UInt8](repeating: 0, count: 28)
    #expect(failure([0, 0, 0, 200] + tail.dropLast()) == .truncated)
    #expect(failure([]) == .truncated)
    for length: UInt8 in [0, 28, 43, 44] { #expect(failure([0, 0, 0, length] + tail) == .invalid) }
    #expect(failure([0, 0, 0, 45] + tail) == nil)
    #expect(failure([0xFF, 0xFF, 0xFF, 0xFF] + tail) == nil, "its length is judged by what was asked for")
  }

  @Test(arguments: BulkCipher.Algorithm.allCases)
  func aSealedChunkOpensUnchanged(aead: BulkCipher.Algorithm) throws {
    let cipher = SegmentCipher(grant: grant(aead: aead), context: context)
    for count in [1, 2, 1_000, 70_000] {
      let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 7) }
      let frame = try sealed(cipher, plaintext)
      #expect(opened(cipher, frame) == plaintext)
      // In place: the plaintext lies where its ciphertext will.
      var inPlace = [UInt8](repeating: 0, count: 32) + plaintext + [UInt8](repeating: 0, count: 16)
      _ = try inPlace.withUnsafeMutableBytes { frame in
        try cipher.seal(
          file: 3, chunk: 5, plaintext: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(frame)[32..<32 + count]),
          into: frame)
      }
      #expect(inPlace == frame)
    }
  }

  @Test(arguments: BulkCipher.Algorithm.allCases)
  func aFlippedBitAnywhereInAFrameIsRefused(aead: BulkCipher.Algorithm) throws {
    let cipher = SegmentCipher(grant: grant(aead: aead), context: context)
    let frame = try sealed(cipher, Array("a chunk".utf8))
    for index in frame.indices {
      var altered = frame
      altered[index] ^= 1
      #expect(opened(cipher, altered) == nil, "byte \(index)")
    }
    #expect(
      opened(cipher, Array(frame.dropLast())) == nil && opened(cipher, []) == nil && opened(cipher, Array(frame[..<32])) == nil)
    #expect(opened(SegmentCipher(grant: grant(secret: secret(2), aead: aead), context: context), frame) == nil)
  }

  @Test func anAttachOpensItsConnectionOnce() {
    var desk = AttachDesk<String>()
    let key = secret(5)
    #expect(desk.expect(id(1), key: key, owner: "laptop", at: .zero) == true)
    #expect(desk.expect(id(1), key: secret(6), owner: "other", at: .zero) == false, "the name is taken")
    let message = Attach.message(connection: id(1), key: key)
    #expect(message.count == Attach.byteCount)
    let expected = HMACSHA256.authenticate(key: key.bytes, message: Array("pawl/1 attach".utf8) + Array(message[..<16]))
      .copyBytes()
    #expect(Array(message[16...]) == expected)
    for index in message.indices {
      var altered = message
      altered[index] ^= 1
      #expect(desk.admit(altered, at: .zero) == nil, "byte \(index)")
    }
    #expect(desk.admit(Array(message.dropLast()), at: .zero) == nil && desk.admit(message + [0], at: .zero) == nil)
    #expect(desk.admit(message, at: .seconds(29))?.owner == "laptop", "failures by others used nothing up")
    #expect(desk.admit(message, at: .seconds(29)) == nil, "single use")
  }

  @Test func anAttachComesWithinThirtySeconds() {
    var desk = AttachDesk<Int>(limit: 2)
    #expect(
      desk.expect(id(1), key: secret(1), owner: 1, at: .zero) && desk.expect(id(2), key: secret(2), owner: 2, at: .seconds(10)))
    #expect(desk.expect(id(3), key: secret(3), owner: 3, at: .seconds(10)) == false, "the desk is full")
    #expect(desk.admit(Attach.message(connection: id(1), key: secret(1)), at: .seconds(30)) == nil)
    #expect(desk.expect(id(3), key: secret(3), owner: 3, at: .seconds(30)) == true, "the late one made room")
    desk.forget(id(2))
    #expect(desk.count == 1)
    #expect(desk.admit(Attach.message(connection: id(2), key: secret(2)), at: .seconds(31)) == nil)
  }

  @Test func piecesMakeTheObjectInAnyOrderAndOnlyIt() {
    let size = 2 * TransferLimits.pieceBytes + 5
    let pieces = [
      [UInt8](repeating: 1, count: TransferLimits.pieceBytes), [UInt8](repeating: 2, count: TransferLimits.pieceBytes),
      [3, 3, 3, 3, 3],
    ]
    #expect(PieceAssembler(sizeBytes: 0, limit: 10) == nil && PieceAssembler(sizeBytes: 11, limit: 10) == nil)
    guard var assembler = PieceAssembler(sizeBytes: size, limit: size) else { return }
    #expect(assembler.count == 3 && !assembler.add(piece: 3, []) && !assembler.add(piece: -1, []))
    #expect(!assembler.add(piece: 2, [1]) && assembler.add(piece: 2, pieces[2]) && !assembler.add(piece: 2, pieces[2]))
    #expect(assembler.add(piece: 0, pieces[0]) && !assembler.add(piece: 0, pieces[0]) && !assembler.isComplete)
    #expect(assembler.add(piece: 1, pieces[1]) && assembler.isComplete)
    #expect(assembler.bytes == pieces.flatMap { $0 })
    #expect(assembler.add(piece: 1, pieces[1]) == false)
  }
}
