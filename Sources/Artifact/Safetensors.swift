internal import Wire

/// Reads the header of a safetensors file: eight bytes of little-endian length, then JSON, then the tensors' bytes.
///
/// As strict as the format's own reader (huggingface/safetensors, `safetensors/src/tensor.rs`): known element types, sizes that
/// follow from the shapes, and data without holes, overlaps or a rest.
public enum Safetensors {
  /// Headers of the largest models are below 1 MiB; the reference reader stops at 100 MB.
  public static let maximumHeaderBytes = 16 << 20
  /// Far above any model: 16 MiB of header hold no more.
  public static let maximumTensors = 200_000
  /// More dimensions than any tensor.
  public static let maximumDimensions = 64

  /// What is wrong with a header.
  public enum Failure: Error, Hashable, Sendable {
    /// Not strict JSON of the right shape.
    case json
    /// An element type that the format does not have.
    case dtype
    /// Sizes that overflow, or that do not match the offsets.
    case size
    /// Offsets that leave holes, overlap or go beyond the data.
    case offsets
    /// Too many tensors or too long a header.
    case limit
  }

  /// Bits an element.
  private static let bits: [String: UInt64] = [
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64,
    "F64": 64,
    "I64": 64, "U64": 64,
  ]

  private struct Tally {
    var dtypes: [String: Int] = [:]
    var ranges: [Range<UInt64>] = []
    var parameters: UInt64 = 0
    var metadataKeys = 0
    var hasKohyaMetadata = false
  }

  /// Reads a header's JSON.
  ///
  /// - Parameters:
  ///   - header: the bytes between the length and the data.
  ///   - dataBytes: how many bytes follow the header.
  public static func parse(header: Span<UInt8>, dataBytes: UInt64) throws(Failure) -> FormatFacts {
    guard header.count <= maximumHeaderBytes else { throw .limit }
    guard header.count > 0, header[0] == UInt8(ascii: "{") else { throw .json }
    let tally: Tally
    do {
      tally = try read(header)
    } catch let failure as Failure {
      throw failure
    } catch {
      throw .json
    }
    var end: UInt64 = 0
    for range in tally.ranges.sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }) {
      guard range.lowerBound == end else { throw .offsets }
      end = range.upperBound
    }
    guard end == dataBytes else { throw .offsets }
    return FormatFacts(
      dtypes: tally.dtypes.sorted { $0.key < $1.key }.map { FormatFacts.DTypeCount(name: $0.key, tensors: $0.value) },
      tensors: tally.ranges.count, parameters: tally.parameters, metadataKeys: tally.metadataKeys,
      hasKohyaMetadata: tally.hasKohyaMetadata)
  }

  private static func read(_ header: Span<UInt8>) throws -> Tally {
    var scanner = JSONScanner(header)
    var tally = Tally()
    try scanner.beginObject()
    while let name = try scanner.nextKey() {
      if name == "__metadata__" {
        try scanner.beginObject()
        while let key = try scanner.nextKey() {
          _ = try scanner.string()
          tally.metadataKeys += 1
          if key.utf8.starts(with: "ss_".utf8) { tally.hasKohyaMetadata = true }
        }
      } else {
        try readTensor(&scanner, into: &tally)
      }
    }
    try scanner.endOfText()
    return tally
  }

  /// `{"dtype": "F16", "shape": [16, 4], "data_offsets": [0, 128]}`
  private static func readTensor(_ scanner: inout JSONScanner, into tally: inout Tally) throws {
    var dtype: String?
    var shape: [UInt64]?
    var offsets: [UInt64]?
    try scanner.beginObject()
    while let key = try scanner.nextKey() {
      switch key {
      case "dtype": dtype = try scanner.string()
      case "shape": shape = try scanner.integers(atMost: maximumDimensions)
      case "data_offsets": offsets = try scanner.integers(atMost: 2)
      default: throw Failure.json
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else { throw Failure.json }
    guard let bits = bits[dtype] else { throw Failure.dtype }
    guard offsets[0] <= offsets[1] else { throw Failure.offsets }
    let elements = try product(shape)
    let size = try product([elements, bits])
    guard size.isMultiple(of: 8), offsets[1] - offsets[0] == size / 8 else { throw Failure.size }
    let parameters = tally.parameters.addingReportingOverflow(elements)
    // A manifest's numbers end there.
    guard !parameters.overflow, parameters.partialValue <= JSONScanner.maximumInteger else { throw Failure.size }
    guard tally.ranges.count < maximumTensors else { throw Failure.limit }
    tally.parameters = parameters.partialValue
    tally.ranges.append(offsets[0]..<offsets[1])
    tally.dtypes[dtype, default: 0] += 1
  }

  private static func product(_ factors: [UInt64]) throws -> UInt64 {
    var product: UInt64 = 1
    for factor in factors {
      let next = product.multipliedReportingOverflow(by: factor)
      if next.overflow { throw Failure.size }
      product = next.partialValue
    }
    return product
  }
}
