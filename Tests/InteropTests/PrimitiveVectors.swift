import Primitives

/// `primitives.json`: what two libraries drew their own randomness for. The other files' cases use these results.
enum PrimitiveVectors: VectorKind {
  static let file = "primitives"
  static let section = "1"
  static let about =
    "ML-KEM encapsulations and ML-DSA-65 signatures as the libraries gave them: neither takes a seed, so the other files use what stands here."

  static func make(_ recorder: Recorder) -> [VectorCase] { recorder.cases }

  static func check(_ vector: VectorCase) throws {
    let seed = SecretBytes(copying: try vector.hex("seed"))
    switch try vector.text("op") {
    case "ml-kem-768":
      let key = try MLKEM768.PrivateKey(seed: seed)
      try vector.same("public key", key.publicKey.bytes)
      try vector.same("shared secret", key.decapsulate(vector.hex("ciphertext")).copyBytes())
    case "ml-kem-1024":
      let key = try MLKEM1024.PrivateKey(seed: seed)
      try vector.same("public key", key.publicKey.bytes)
      try vector.same("shared secret", key.decapsulate(vector.hex("ciphertext")).copyBytes())
    case "ml-dsa-65":
      let key = try MLDSA65.PrivateKey(seed: seed)
      try vector.same("public key", key.publicKey.bytes)
      let message = try vector.hex("message")
      let isValid = MLDSA65.verify(signature: try vector.hex("signature"), message: message, key: key.publicKey)
      try insist(isValid, "the recorded signature does not verify")
      try insist(MLDSA65.verify(signature: key.sign(message), message: message, key: key.publicKey), "a new one does not")
    default: throw try unknownOperation(vector)
    }
  }
}
