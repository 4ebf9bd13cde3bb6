"""Texts whose words are not separated by blanks."""

from __future__ import annotations

from helpers.combinations import each_row

from lstmgru.data.sequences.vocabulary import lacks_blanks


@each_row(
    ("texts", "expected"),
    [
        (["天气很好,我们去公园散步。", "电池坏了!"], True),
        (["この映画はとても面白かったです。", "音が悪い。"], True),
        (["อากาศดีมากวันนี้ เราจะไปเดินเล่นในสวนสาธารณะ"], True),
        (["买了一个 iPhone 手机,非常喜欢", "很好"], True),
        (["天气 很 好 , 我们 去 公园 散步"], False),
        (["อากาศ ดี มาก วันนี้ เรา จะ ไป เดินเล่น ใน สวน"], False),
        (["오늘은 날씨가 매우 좋습니다"], False),
        (["The weather is fine.", "The word 天气 means weather."], False),
        (["Donaudampfschifffahrtsgesellschaft"], False),
        (["123", ""], False),
        ([], False),
    ],
)
def test_scripts_without_blanks_are_recognized_unless_words_have_been_separated(
    texts: list[str], expected: bool
) -> None:
    assert lacks_blanks(texts) is expected
