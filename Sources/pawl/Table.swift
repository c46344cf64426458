internal import API

/// Columns, aligned; each as wide as its widest cell. Cells are escaped texts.
struct Table {
  /// Where a column's texts stand.
  enum Alignment { case left, right }

  private static let gap = "  "

  private let columns: [(title: String, alignment: Alignment)]
  private var rows: [[String]] = []

  /// A table with its heading.
  init(_ columns: [(title: String, alignment: Alignment)]) { self.columns = columns }

  /// Adds a row: one cell a column.
  mutating func add(_ cells: [String]) { rows.append(cells) }

  /// The heading and the rows; nothing at the end of a line.
  var lines: [String] {
    let all = [columns.map(\.title)] + rows
    let widths = columns.indices.map { column in all.map { TerminalText.width($0[column]) }.max() ?? 0 }
    return all.map { row in
      let cells = row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - TerminalText.width(cell))
        return columns[index].alignment == .left ? cell + space : space + cell
      }
      let line = cells.joined(separator: Self.gap)
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  /// Names and values, indented, the values aligned.
  static func facts(_ facts: [(name: String, value: String)]) -> [String] {
    let width = facts.map(\.name.count).max() ?? 0
    return facts.map { name, value in "  " + TerminalText.fit(name, columns: width) + Self.gap + value }
  }
}
