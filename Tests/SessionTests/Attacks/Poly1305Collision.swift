import Primitives

/// ChaCha20-Poly1305 (RFC 8439) from the inside: enough to make a ciphertext whose tag is right under two keys.
///
/// Poly1305 is a polynomial over 2^130 − 5, and its coefficients are the blocks of the ciphertext: one block is free, and one linear
/// equation makes both tags the same.
enum Poly1305Collision {
  /// A key and a nonce, what is authenticated with them, and how the tag follows.
  struct Side {
    let key: [UInt8]
    let nonce: [UInt8]
    let ad: [UInt8]

    /// Plaintext to ciphertext, without the tag.
    func encrypted(_ plaintext: [UInt8]) -> [UInt8] {
      Array(ChaChaPoly.seal(plaintext, key: SecretBytes(copying: key), nonce: nonce, ad: []).dropLast(16))
    }

    /// r, clamped, and s (§2.5, §2.6).
    var oneTimeKey: (r: Field, s: UInt128) {
      var block = Array(ChaCha20.block(key: key, nonce: nonce, counter: 0).prefix(32))
      for index in [3, 7, 11, 15] { block[index] &= 15 }
      for index in [4, 8, 12] { block[index] &= 252 }
      return (Field(0, number(block[..<16])), number(block[16...]))
    }

    /// The blocks that Poly1305 sees (§2.8), each with its bit above.
    func blocks(_ ciphertext: [UInt8]) -> [Field] {
      func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + [UInt8](repeating: 0, count: (16 - bytes.count % 16) % 16) }
      func length(_ count: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } }
      let all = padded(ad) + padded(ciphertext) + length(ad.count) + length(ciphertext.count)
      return stride(from: 0, to: all.count, by: 16).map { Field(1, number(all[$0..<$0 + 16])) }
    }
  }

  /// Ciphertext ‖ tag that both sides take: `ciphertext` with one block changed. Nil if no value of that block does it (three in four).
  static func solve(_ one: Side, _ other: Side, _ ciphertext: [UInt8], block: Int) -> [UInt8]? {
    let sides = [one, other].map { side in
      let (r, s) = side.oneTimeKey
      let blocks = side.blocks(ciphertext)
      let place = (side.ad.count + 15) / 16 + block
      var sum = Field(0, 0)
      for (index, value) in blocks.enumerated() { sum = (sum + (index == place ? Field(1, 0) : value)) * r }
      var power = Field(0, 1)
      for _ in place..<blocks.count { power = power * r }
      return (sum: sum, power: power, s: s)
    }
    let difference = sides[0].power - sides[1].power
    // sum1 + x·power1 + s1 and sum2 + x·power2 + s2 may differ by multiples of 2^128.
    for wrap in 0..<UInt128(8) {
      let offset = Field(wrap & 3, 0) + Field(0, sides[1].s) - Field(0, sides[0].s)
      let target = wrap < 4 ? offset : offset - Field(3, 0) - Field(1, 0)
      let x = (sides[1].sum - sides[0].sum + target) * difference.inverse
      guard x.high == 0 else { continue }
      let tags = sides.map { ($0.sum + x * $0.power).low &+ $0.s }
      guard tags[0] == tags[1] else { continue }
      var result = ciphertext
      result.replaceSubrange(block * 16..<block * 16 + 16, with: bytes(x.low))
      return result + bytes(tags[0])
    }
    return nil
  }

  static func number(_ bytes: ArraySlice<UInt8>) -> UInt128 { bytes.reversed().reduce(0) { $0 << 8 | UInt128($1) } }
  static func bytes(_ value: UInt128) -> [UInt8] { (0..<16).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

  /// A number below p = 2^130 − 5: high · 2^128 + low.
  struct Field: Equatable {
    var high: UInt128
    var low: UInt128
    private static let p = Field(3, .max - 4)

    init(_ high: UInt128, _ low: UInt128) { (self.high, self.low) = (high, low) }

    private static func isLess(_ left: Field, _ right: Field) -> Bool {
      left.high == right.high ? left.low < right.low : left.high < right.high
    }

    static func + (left: Field, right: Field) -> Field {
      let (low, carry) = left.low.addingReportingOverflow(right.low)
      let sum = Field(left.high + right.high + (carry ? 1 : 0), low)
      return isLess(sum, p) ? sum : minus(sum, p)
    }

    static func - (left: Field, right: Field) -> Field {
      left + minus(p, right)
    }

    private static func minus(_ left: Field, _ right: Field) -> Field {
      let (low, borrow) = left.low.subtractingReportingOverflow(right.low)
      return Field(left.high - right.high - (borrow ? 1 : 0), low)
    }

    static func * (left: Field, right: Field) -> Field {
      var product = Field(0, 0)
      for bit in (0..<130).reversed() {
        product = product + product
        let isSet = bit < 128 ? right.low >> UInt128(bit) & 1 : right.high >> UInt128(bit - 128) & 1
        if isSet == 1 { product = product + left }
      }
      return product
    }

    /// The power p − 2 (Fermat).
    var inverse: Field {
      var result = Field(0, 1)
      for bit in (0..<130).reversed() {
        result = result * result
        // p − 2 = 2^130 − 7: all ones but the lowest bits 001.
        if bit != 1 && bit != 2 { result = result * self }
      }
      return result
    }
  }

  /// The block function of RFC 8439 §2.3.
  private enum ChaCha20 {
    static func block(key: [UInt8], nonce: [UInt8], counter: UInt32) -> [UInt8] {
      func words(_ bytes: [UInt8]) -> [UInt32] {
        stride(from: 0, to: bytes.count, by: 4).map { UInt32(truncatingIfNeeded: number(bytes[$0..<$0 + 4])) }
      }
      let start = words(Array("expand 32-byte k".utf8)) + words(key) + [counter] + words(nonce)
      var x = start
      func quarter(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
        for (first, second, third, shift) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]
          as [(Int, Int, Int, UInt32)]
        {
          x[first] &+= x[second]
          let mixed = x[third] ^ x[first]
          x[third] = mixed << shift | mixed >> (32 - shift)
        }
      }
      for _ in 0..<10 {
        for column in 0..<4 { quarter(column, column + 4, column + 8, column + 12) }
        for row in 0..<4 { quarter(row, 4 + (row + 1) % 4, 8 + (row + 2) % 4, 12 + (row + 3) % 4) }
      }
      return zip(x, start).flatMap { word, first in
        (0..<4).map { UInt8(truncatingIfNeeded: (word &+ first) >> (8 * UInt32($0))) }
      }
    }
  }
}
