import Language

/// What is known of rows before there are any: the names that an expression for a row may use.
struct RowShape: Sendable {
  enum Kind: Sendable {
    case records, replies
    /// Texts, numbers and the like, which have no fields.
    case plain
    /// Some of this and some of that.
    case mixed
  }

  /// A part of the names.
  enum Layer: Sendable {
    case names([String])
    /// The fields of rows that are there already.
    case rows(RowFields)
  }

  var kind: Kind
  var layers: [Layer] = []
  /// There may be names that are not known.
  var isOpen = false
  /// Of groups: what the rows of each are.
  var grouped: [RowShape] = []

  static func records(_ names: [String]) -> RowShape { RowShape(kind: .records, layers: [.names(names)]) }
  static let plain = RowShape(kind: .plain)

  /// Whether rows of this shape may have a field of this name.
  func contains(_ name: String) -> Bool {
    // Every row can be asked whether it failed, and why.
    if isOpen || name == "failed" || name == "error" { return true }
    if kind == .replies || kind == .mixed, ReplyField.named(name) != nil { return true }
    return layers.contains { layer in
      switch layer {
      case .names(let names): names.contains(name)
      case .rows(let rows): rows.contains(name)
      }
    }
  }

  /// For help: the data first, what every reply has behind it.
  var names: [String] {
    var names: [String] = []
    for layer in layers {
      switch layer {
      case .names(let more): names += more
      case .rows(let rows): names += rows.all.sorted()
      }
    }
    var seen: Set<String> = []
    return (names + (kind == .replies ? ReplyField.names : [])).filter { seen.insert($0).inserted }
  }

  func adding(_ names: [String]) -> RowShape {
    if names.isEmpty { return self }
    var shape = self
    shape.layers.append(.names(names))
    return shape
  }

  /// Rows of this shape and of another in one list.
  func joined(with other: RowShape) -> RowShape {
    RowShape(kind: kind == other.kind ? kind : .mixed, layers: layers + other.layers, isOpen: isOpen || other.isOpen)
  }

  /// What a prompt makes of items of this shape: replies, which have the items' fields too.
  var replies: RowShape { RowShape(kind: .replies, layers: layers, isOpen: isOpen || kind == .mixed) }
}

extension RowShape {
  /// Of what a value has for rows; nil where that says nothing of them: none are there, or all have failed.
  init?(_ value: Value) {
    let rows: [Value]
    switch value {
    case .list(let list): rows = list.values
    case .record, .reply, .text: rows = [value]
    case .range(let low, let high) where low <= high:
      self = .plain
      return
    default: return nil
    }
    var kinds: Set<Kind> = []
    for row in rows {
      switch row {
      case .record: kinds.insert(.records)
      case .reply: kinds.insert(.replies)
      case .list, .job, .function, .prompt: return nil
      default: kinds.insert(.plain)
      }
    }
    // What failed has no data to name.
    guard let kind = kinds.first, rows.contains(where: { $0.failure == nil }) else { return nil }
    self.init(kind: kinds.count == 1 ? kind : .mixed, layers: kinds == [.plain] ? [] : [.rows(RowFields(rows))])
  }
}
