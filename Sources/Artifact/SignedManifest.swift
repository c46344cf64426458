public import Primitives
internal import Wire

/// A manifest as it is stored and passed on: its bytes, never re-encoded, and the publisher's signature beside them.
public struct SignedManifest: Hashable, Sendable {
  /// Ed25519 and ML-DSA-65 take 3,373 bytes; room for a third.
  public static let maximumSignatureBytes = 8_192
  /// The longest ``encoded`` form.
  public static let maximumEncodedBytes = Manifest.maximumBytes + maximumSignatureBytes + 8

  /// The manifest's bytes.
  public let bytes: [UInt8]
  /// The publisher's signature over them.
  public let signature: [UInt8]

  /// Nothing but the lengths is checked: use ``open(digest:publisher:verify:)``.
  public init(bytes: [UInt8], signature: [UInt8]) throws(ArtifactError) {
    guard bytes.count <= Manifest.maximumBytes, signature.count <= Self.maximumSignatureBytes else {
      throw ArtifactError(.limitExceeded, "a manifest or its signature is too large")
    }
    self.bytes = bytes
    self.signature = signature
  }

  /// Reads lp(bytes) ‖ lp(signature). Throws ``ArtifactError/Code/invalidManifest`` if it is anything else.
  public init(encoded: Span<UInt8>) throws(ArtifactError) {
    do {
      var reader = ByteReader(encoded)
      let bytes = try reader.lengthPrefixed(atMost: Manifest.maximumBytes)
      let signature = try reader.lengthPrefixed(atMost: Self.maximumSignatureBytes)
      try reader.finish()
      self.bytes = bytes
      self.signature = signature
    } catch {
      throw Manifest.invalid("its envelope is cut or overlong")
    }
  }

  /// lp(bytes) ‖ lp(signature), as it travels and is stored.
  public var encoded: [UInt8] {
    var writer = ByteWriter(capacity: bytes.count + signature.count + 8)
    writer.lengthPrefixed(bytes)
    writer.lengthPrefixed(signature)
    return writer.bytes
  }

  /// The length of ``encoded``.
  public var encodedBytes: Int { 8 + bytes.count + signature.count }

  /// A part of ``encoded``, which must hold it, without the whole.
  public func encoded(_ range: Range<Int>) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(range.count)
    var start = 0
    for part in [Self.length(bytes), bytes, Self.length(signature), signature] {
      let overlap = range.clamped(to: start..<start + part.count)
      if !overlap.isEmpty { result.append(contentsOf: part[overlap.lowerBound - start..<overlap.upperBound - start]) }
      start += part.count
    }
    return result
  }

  private static func length(_ field: [UInt8]) -> [UInt8] {
    var writer = ByteWriter(capacity: 4)
    writer.u32(UInt32(field.count))
    return writer.bytes
  }

  /// The artifact digest: SHA-256 of the bytes.
  public var digest: Digest { SHA256Hash.hash(bytes) }

  /// The manifest, if it is the one that was asked for.
  ///
  /// Checked in this order: the bytes have the expected digest; the signature is the expected publisher's; only then is a byte
  /// of JSON read; and the manifest names that publisher. Throws the code of the first that fails.
  ///
  /// - Parameters:
  ///   - digest: the artifact digest from the listing, or nil to take whatever the publisher signed.
  ///   - publisher: the node id whose record `verify` uses.
  ///   - verify: Sig("manifest", bytes) under the publisher's pinned record: both signatures, strictly.
  public func open(
    digest expected: Digest?, publisher: Digest, verify: (_ bytes: [UInt8], _ signature: [UInt8]) -> Bool
  ) throws(ArtifactError) -> Manifest {
    guard expected == nil || digest == expected else {
      throw ArtifactError(.digestMismatch, "the manifest is not the one that its digest names")
    }
    guard verify(bytes, signature) else {
      throw ArtifactError(.badSignature, "the manifest is not signed by its publisher")
    }
    let manifest = try Manifest(decoding: bytes.span)
    guard manifest.publisher == publisher else {
      throw ArtifactError(.wrongPublisher, "the manifest names another publisher than the one who signed it")
    }
    return manifest
  }
}
