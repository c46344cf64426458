/// Checks a whole JSON text by the strict rules before any other parser sees it.
public enum StrictJSON {
  /// Returning means that every parser reads this text alike; throwing names the first broken rule.
  ///
  /// - Parameter maximumDepth: levels of objects and arrays.
  public static func validate(
    _ bytes: Span<UInt8>, maximumDepth: Int = JSONScanner.maximumDepth
  ) throws(JSONFailure) {
    var scanner = JSONScanner(bytes, maximumDepth: maximumDepth)
    while try scanner.next() != nil {}
  }
}
