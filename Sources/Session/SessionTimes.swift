/// Every span of time the session layer knows, in seconds.
public enum SessionTimes {
  /// How far two nodes' clocks may be apart.
  public static let clockSkew: UInt64 = 3_600
  /// Life of a bundle. Long enough for a teammate on holiday, short enough that a stolen signed prekey is no use for long.
  public static let bundleLife: UInt64 = 30 * day
  /// Age at which signed prekeys are replaced.
  public static let prekeyRotation: UInt64 = 7 * day
  /// Age at which signed prekeys die: the last bundle that names them has expired on every clock.
  public static let prekeyLife: UInt64 = prekeyRotation + bundleLife + 2 * clockSkew
  /// How much older the bundle in an INIT may be than the newest one known of its sender: who is honest puts one of that day into it.
  public static let bundleLag: UInt64 = prekeyRotation
  /// Age at which the lower node starts a fresh session, so that even a silent theft of everything has an end.
  public static let sessionLife: UInt64 = 7 * day
  /// How much longer the higher node waits for the lower one to do so before it does it itself.
  public static let sessionLifeGrace: UInt64 = day
  /// A session that was replaced is kept this long for what is still under way in it.
  public static let replacedSessionLife: UInt64 = day
  /// A skipped message key is kept this long: what has not come by then was lost for good.
  public static let skippedKeyLife: UInt64 = 7 * day
  /// Age at which a batch of one-time pairs is replaced by a whole new one: that of the signed prekeys it names.
  public static let batchLife: UInt64 = prekeyRotation
  /// RESETs sent, and sessions started because of one, are at least this far apart.
  public static let resetInterval: UInt64 = 60
  /// A node with a link and without a confirmed session starts one itself after this long. No shorter than ``resetInterval``, so that
  /// quicker repairs come first.
  public static let startPatience: UInt64 = 60
  /// A bundle that was asked for and has not come is asked for again.
  public static let bundlePatience: UInt64 = 30
  /// After pairing, the inviter leaves the start to the joiner for this long.
  public static let joinerPatience: UInt64 = 10
  /// During activity the keys turn at least this often…
  public static let turnInterval: UInt64 = 30
  /// …and without any, at least this often.
  public static let idleTurnInterval: UInt64 = day
  /// A day.
  static let day: UInt64 = 86_400
}
