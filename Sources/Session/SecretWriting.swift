internal import Primitives
internal import Wire

extension ByteWriter {
  /// Appends a secret to bytes that only storage or an encrypted message gets to see: nothing wipes them.
  mutating func append(_ secret: borrowing SecretBytes) { append(secret.span) }
}
