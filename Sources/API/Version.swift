/// Which program this is.
public enum Version {
  /// The program's version.
  public static let program = "0.1.0"
  /// The version of the local API: grows when a line changes its meaning, not when a field is added.
  public static let localAPI = 1
}
