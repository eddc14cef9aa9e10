import Formats
import JSON
import Language

extension RowShape {
  /// More of a file is not looked at before it is loaded.
  private static let firstBytes = 256 << 10

  /// Of the rows that `load` would read: a table's columns, the fields of what stands first in other files.
  ///
  /// - Returns: nil where that cannot be told: a pipe, a file in no known format, or one that is not as it should be, which `load` tells.
  /// - Throws: why there is nothing to read.
  init?(file path: String, _ command: Command, _ files: any Files) throws(FileProblem) {
    if path == "-" || path.isEmpty || path.utf8.contains(0) { return nil }
    let isPattern = path.contains { "*?[".contains($0) } && files.ending(path, 1).isEmpty
    let names = isPattern ? files.matching(path) : []
    let first = names.first ?? path
    let given = command.flags.last { $0.name.text == "format" }?.value
    guard let format = given.map(\.word).map({ $0.flatMap(FileFormat.init(rawValue:)) }) ?? FileFormat(path: first) else { return nil }
    guard let (bytes, isWhole) = try files.beginning(first, Self.firstBytes) else { return nil }
    guard var shape = Self.read(bytes, isWhole, format, command) else { return nil }
    if !names.isEmpty {
      shape = shape.kind == .plain ? .records(["line", "file"]) : shape.adding(["file"])
      shape.isOpen = names.count > 1
    }
    self = shape
  }

  private static func read(_ bytes: [UInt8], _ isWhole: Bool, _ format: FileFormat, _ command: Command) -> RowShape? {
    if format == .txt || format == .md { return .plain }
    var options = ReadingOptions()
    options.isLenient = command.flags.contains { $0.name.text == "lenient" }
    if let given = command.flags.last(where: { $0.name.text == "separator" })?.value {
      guard let separator = given.word.flatMap(ReadingOptions.separator) else { return nil }
      options.separator = separator
    }
    var reader = format.reader(options)
    var rows: [JSONValue] = []
    var hasFault = false
    do throws(FormatError) {
      try reader.feed(bytes, into: &rows)
      if isWhole { try reader.finish(into: &rows) } else { try reader.settle(into: &rows) }
    } catch { hasFault = true }
    if let table = reader as? DelimitedReader {
      guard let columns = table.columns else { return nil }
      // A header without rows is no reason to stop.
      if isWhole, rows.isEmpty { return nil }
      let isReply = rows.first.map { if case .reply = FileSource.value($0) { true } else { false } } ?? false
      return RowShape(kind: isReply ? .replies : .records, layers: [.names(columns)])
    }
    guard var shape = RowShape(.list(rows.map(FileSource.value))) else { return nil }
    shape.isOpen = !isWhole || hasFault
    return shape
  }
}

extension SettingValue {
  /// What stands there, where it is a word or a text as it is.
  var word: String? {
    switch node {
    case .word(let word): word
    case .expression(let expression): expression.plainText
    case .list: nil
    }
  }
}

extension Expression {
  /// Its text, where it is one without holes.
  var plainText: String? {
    guard case .text(let pieces) = node else { return nil }
    var text = ""
    for piece in pieces {
      guard case .plain(let plain) = piece else { return nil }
      text += plain
    }
    return text
  }
}
