import Chat
import Language

/// The combinations that a row is sent with: every flag and prompt that was given a list is an axis.
struct Sweep: Sendable {
  struct Variant: Sendable {
    var overrides: [Context.Override]
    var prompt: Int
    /// What tells this combination from the others, as columns of the result.
    var columns: [(name: String, value: Value)]
  }

  var prompts: [PromptPlan]
  var variants: [Variant]
  /// `2 prompts × 4 models × 3 samples`; nil where there is one combination.
  var shape: String?

  /// The column that tells the prompts of a sweep apart; `prompt` is the text that was sent.
  static let promptName = "prompt_name"

  /// The settings that it tries several values of.
  let axes: [String]

  /// Refuses what nobody means to pay for.
  static let maximumVariants = 100_000

  init(prompts: [PromptPlan], flags: [(setting: SettingDefinition, values: [Value])], samples: Int) {
    self.prompts = prompts
    var variants = prompts.indices.map { index in
      Variant(overrides: [], prompt: index, columns: prompts.count > 1 ? [(Self.promptName, .text(prompts[index].label))] : [])
    }
    var shape = prompts.count > 1 ? ["\(prompts.count) prompts"] : []
    for (setting, values) in flags {
      let isAxis = values.count > 1
      if isAxis { shape.append("\(values.count) \(setting.name)\(setting.name.hasSuffix("s") ? "" : "s")") }
      variants = variants.flatMap { variant in
        values.map { value in
          var variant = variant
          variant.overrides.append(Context.Override(setting: setting, value: value))
          // `model` is a field of every reply already.
          if isAxis, setting.name != "model" { variant.columns.append((setting.name.replacing("-", with: "_"), value)) }
          return variant
        }
      }
    }
    if samples > 1 {
      shape.append("\(samples) samples")
      variants = variants.flatMap { variant in
        (0..<samples).map { sample in
          var variant = variant
          variant.columns.append(("sample", .int(sample)))
          return variant
        }
      }
    }
    self.variants = variants
    axes = flags.filter { $0.values.count > 1 }.map(\.setting.name)
    self.shape = shape.isEmpty ? nil : shape.joined(separator: " × ")
  }
}

/// Makes a row of each combination.
struct ExpandStage: RowStage {
  let width: Int
  var isLight: Bool { true }

  func apply(_ row: Row, _ context: Context) -> [Row] {
    (0..<width).map { Row(index: row.index * width + $0, value: row.value, variant: $0) }
  }
}
