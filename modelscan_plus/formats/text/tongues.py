"""Orders behind the reader's back in other languages than English, by the parts that such an order has.

Each language states the same few things: somebody is not to hear of it, something is to be installed, paid, downloaded
or given away, a flaw is to be built into code, a secret is to be asked for. One of them alone is what honest prompts
say; two that meet within a sentence or the next are not, nor is a flaw that is to be built in. What is forbidden does
not count.
"""

import re

import msgspec

from modelscan_plus.core.patterns import lazy
from modelscan_plus.core.text import one_line

_ADDRESS = r"(?:https?://|微信\s?[:：]?\s?[A-Za-z]\w{4,}|\bt\.me/\w|www\.|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.\w)"


class _Tongue(msgspec.Struct, frozen=True):
    """The words of one language, as alternatives of regular expressions."""

    silent: str
    """That somebody is not to be told."""
    takes: str
    """To install, download, recommend, pay, sign in."""
    flaw: str
    """A flaw or back door that is put into code: the noun."""
    puts: str
    """To build in, add, insert."""
    gives: str
    """Secrets that nobody is asked for."""
    asks: str
    """To ask for or send."""
    forbids: str
    """Words that turn an order round."""


_TONGUES = (
    _Tongue(  # Chinese
        silent=r"(?:不要|不得|切勿|请勿|禁止|别|勿|不可|不能|无需)(?:向|对|让|跟|和)?(?:用户|任何人|他们|他|"
            r"对方)?(?:透露|提及|告诉|说明|泄露|提到|告知|提示|解释|知道|披露)",
        takes=r"(?:下载|安装|付款|支付|转账|汇款|登录|登陆|充值|注册|推荐|加(?=微信))",
        flaw=r"(?:漏洞|后门|木马|恶意代码|安全缺陷)",
        puts=r"(?:插入|加入|植入|留下|嵌入|添加|引入|写入|埋入|包含)",
        gives=r"(?:密码|验证码|私钥|助记词|银行卡号?|身份证号?|口令|令牌|密钥|API\s?key)",
        asks=r"(?:索要|要求[^。\n]{0,8}提供|请用户(?:提供|输入|发送)|询问|让用户(?:输入|提供|发送)|收集|发送(?:到|至|给))",
        forbids=r"(?:不要|不得|切勿|请勿|禁止|别|勿|不可|不能|避免|防止|绝不|不)",
    ),
    _Tongue(  # Japanese
        silent=r"(?:(?:ユーザー|利用者|誰)(?:に|にも)[^。\n]{0,12}(?:伝え|知らせ|言わ|明かさ|教え)な|"
            r"(?:言及|説明|開示)しな|秘密に)",
        takes=r"(?:ダウンロード|インストール|ログイン|支払|送金|振込|勧め|推奨)",
        flaw=r"(?:脆弱性|バックドア|欠陥|悪意のあるコード)",
        puts=r"(?:挿入|埋め込|追加|仕込|入れ|含め)",
        gives=r"(?:パスワード|暗証番号|秘密鍵|認証コード|カード番号|シードフレーズ|トークン)",
        asks=r"(?:尋ね|聞き出|求め|入力させ|送信|送るよう)",
        forbids=r"(?:しない|ないで|せず|禁止|防|避け|ません)",
    ),
    _Tongue(  # Korean
        silent=r"(?:사용자에게[^.\n]{0,16}(?:알리지|말하지|밝히지|언급하지)\s?(?:마|말)|(?:언급|공개|"
            r"누설)하지\s?(?:마|말)|비밀로)",
        takes=r"(?:다운로드|설치|로그인|결제|송금|입금|추천)",
        flaw=r"(?:취약점|백도어|악성\s?코드|보안\s?결함)",
        puts=r"(?:삽입|추가|넣|심어|포함)",
        gives=r"(?:비밀번호|인증번호|개인\s?키|카드\s?번호|토큰|시드\s?구문)",
        asks=r"(?:요구|물어|요청|입력하(?:도록|라고)|보내)",
        forbids=r"(?:하지\s?(?:마|말)|금지|않|피하|방지)",
    ),
    _Tongue(  # Spanish and Portuguese
        silent=r"\b(?:no|nunca|sin|n[aã]o|sem|jam[aá]s)\s+(?:\w+\s+){0,2}?(?:mencion|revel|dig|diga|cuent|"
            r"inform|expli|divulg|avis|coment|conte)\w*",
        takes=r"\b(?:instal|descarg|baix|pag|transfer|inici\w*\s+sesi|recomiend|recomend|registr|compr|"
            r"sugier|suger|aconsej)\w*|\bfa(?:ça|zer)\s+login",
        flaw=r"\b(?:vulnerabilidad\w*|puertas?\s+traseras?|fallos?\s+de\s+seguridad|vulnerabilidade\w*|"
            r"portas?\s+dos\s+fundos|falhas?\s+de\s+segurança|c[oó]digo\s+malicioso|backdoor)",
        puts=r"\b(?:insert|introdu[czg]|a[ñn]ad|agreg|inclu[iy]|deja|oculta|adicion|coloc|incorpor)\w*",
        gives=r"\b(?:contraseñas?|claves?\s+(?:privadas?|de\s+acceso)|senhas?|frases?\s+semilla|tarjetas?|"
            r"cart[aã]o|c[oó]digos?\s+de\s+(?:verificaci[oó]n|verifica[cç][aã]o|un\s+solo\s+uso)|tokens?|"
            r"contraseña\s+o\s+un\s+c[oó]digo)",
        asks=r"\b(?:p[ií]d\w*|solicit\w*|pregunt\w*|peç\w*|pedir|env[ií]\w*|manda\w*|exig\w*)",
        forbids=r"\b(?:no|nunca|sin|evit\w*|n[aã]o|sem|jam[aá]s|prohib\w*|pro[ií]b\w*)\b",
    ),
    _Tongue(  # French
        silent=r"(?:\bsans\s+(?:\w+\s+){0,2}?(?:le\s+dire|mentionner|pr[eé]venir|informer|avertir)|"
            r"\bne\s+(?:l[eua]s?\s+|lui\s+|leur\s+|jamais\s+|pas\s+)*(?:mentionn|r[eé]v[eèé]l|d[iî][st]|"
            r"inform|parl|expliqu|divulgu)\w*|\bn['\u2019]en\s+parl\w*)",
        takes=r"\b(?:install|t[eé]l[eé]charg|pay|pai|vir|connect|recommand|achet|conseill|inscri|sugg[eè]r)\w*",
        flaw=r"\b(?:failles?|vuln[eé]rabilit[eé]s?|portes?\s+d[eé]rob[eé]es?|code\s+malveillant|backdoor)",
        puts=r"\b(?:ins[eèé]r|introdui|ajout|inclu|laiss|cach|gliss|int[eèé]gr)\w*",
        gives=r"\b(?:mots?\s+de\s+passe|codes?\s+(?:secrets?|de\s+v[eé]rification|pin)|"
            r"cl[eé]s?\s+priv[eé]es?|num[eé]ros?\s+de\s+carte|jetons?|phrases?\s+de\s+r[eé]cup[eé]ration)",
        asks=r"\b(?:demand|envo[iy]|r[eé]clam|exig|sollicit|transmet)\w*",
        forbids=r"(?:\b(?:pas|jamais|sans|[eé]vit\w*|interdi\w*|aucun\w*)\b|\bne\b|\bn['\u2019])",
    ),
    _Tongue(  # German and Dutch
        silent=r"\b(?:erwähn|verrat|sag|inform|nenn|erklär|melde|weise|vermeld|vertel|noem|"
            r"onthul)\w*\b[^.\n]{0,40}?\b(?:nie|niemals|nicht|nichts|nooit|niet)\b|\b(?:ohne|"
            r"zonder)\s+[^.\n]{0,24}?\b(?:zu\s+(?:erwähnen|sagen)|hinzuweisen|zu\s+informieren|"
            r"te\s+(?:vermelden|zeggen))|\b(?:verschweig|verheimlich|verzwijg)\w*",
        takes=r"\b(?:install|lad\w*[^.\n]{0,30}herunter|herunterlad|download|bezahl|überweis|anmeld|einlogg|"
            r"empf[eieh]+l|kauf|betaal|aanbevel|raad\w*\s+aan|meld\w*[^.\n]{0,40}\ban)\w*",
        flaw=r"\b(?:sicherheitslücken?|hintertür(?:en)?|schwachstellen?|schadcode|backdoors?|"
            r"kwetsbaarheid\w*|achterdeur\w*|beveiligingslek\w*)",
        puts=r"\b(?:bau|einbau|füg|einfüg|ergänz|versteck|setz|integrier|lass|voeg|bouw|verberg)\w*",
        gives=r"\b(?:passw(?:ort|örter|oord\w*)|kennwort\w*|tan|pin|kreditkarten\w*|"
            r"private[nr]?\s+schlüssel|zugangsdaten|wachtwoord\w*|seed-?phrase|token)\b",
        asks=r"\b(?:frag|bitt|verlang|forder|schick|send|sende|vraag|stuur|erfrag)\w*",
        forbids=r"\b(?:nie|niemals|nicht|kein\w*|ohne|vermeid\w*|verbot\w*|nooit|niet|geen|zonder|vermijd\w*)\b",
    ),
    _Tongue(  # Italian
        silent=r"\b(?:non|mai|senza)\s+(?:\w+\s+){0,2}?(?:menzion|rivel|dir|dire|inform|spieg|parl|divulg|avvert)\w*",
        takes=r"\b(?:install|scaric|pag|bonific|acced|consigli|raccomand|acquist|registr)\w*",
        flaw=r"\b(?:vulnerabilit[aà]|falle?\s+di\s+sicurezza|backdoor|codice\s+malevolo)",
        puts=r"\b(?:inseri|introdu|aggiung|inclu|nascond|lasci)\w*",
        gives=r"\b(?:password|codic[ei]\s+(?:di\s+verifica|pin|otp)|chiav[ei]\s+privat[ae]|"
            r"numer[oi]\s+di\s+carta|token|frase\s+seed)",
        asks=r"\b(?:chied|invi|richied|domand|mand)\w*",
        forbids=r"\b(?:non|mai|senza|evit\w*|vietat\w*)\b",
    ),
    _Tongue(  # Russian and Ukrainian
        silent=r"\b(?:не|никогда\s+не|ніколи\s+не)\s+(?:упомина|сообща|говор|раскрыва|расска|объясн|упомян|"
            r"згадуй|кажи|повідомля)\w*|\b(?:скрой|скрыва|тайно|незаметно|приховуй)\w*",
        takes=r"\b(?:установ|скача|загруз|оплат|перевед|перевод|войд|войти|рекоменду|посовет|советуй|"
            r"встанов|завантаж|сплат|увійд)\w*",
        flaw=r"\b(?:уязвимост|бэкдор|закладк|вредоносн\w*\s+код|вразлив)\w*",
        puts=r"\b(?:встав|добав|внедр|включ|остав|спряч|помест|вбуд|дода)\w*",
        gives=r"\b(?:парол|пин-?код|код\w*\s+(?:из\s+смс|подтвержд)|приватн\w*\s+ключ|номер\w*\s+карт|"
            r"сид-?фраз|токен)\w*",
        asks=r"\b(?:попрос|запрос|спрос|отправ|узна|потребу|вышл|перешл|запита|надішл)\w*",
        forbids=r"\b(?:не|никогда|без|нельзя|запрещ\w*|избегай\w*|ніколи|заборон\w*)\b",
    ),
    _Tongue(  # Turkish
        silent=r"\b(?:söyleme|bahsetme|açıklama(?:yın|\b)|bildirme|belirtme)\w*",
        takes=r"\b(?:indir|yükle|kur|öde|giriş\s+yap|öner|satın\s+al)\w*",
        flaw=r"\b(?:güvenlik\s+açığ|arka\s+kapı|zararlı\s+kod)\w*",
        puts=r"\b(?:ekle|yerleştir|koy|sakla)\w*",
        gives=r"\b(?:şifre|parola|doğrulama\s+kod|özel\s+anahtar|kart\s+numara)\w*",
        asks=r"\b(?:iste|sor|gönder|talep\s+et)\w*",
        forbids=r"\b(?:\w+m[ae](?:yın|yin)?\b|asla|yasak)",
    ),
    _Tongue(  # Arabic
        silent=r"(?:لا\s+(?:تذكر|تخبر|تكشف|تفصح|تشر)|دون\s+(?:ذكر|إخبار))\w*",
        takes=r"(?:تحميل|تنزيل|تثبيت|تسجيل\s+الدخول|ادفع|الدفع|حول|أوص|انصح)\w*",
        flaw=r"(?:ثغرة|ثغرات|باب\s*(?:اً|ا)?\s*خلفي|شيفرة\s+خبيثة)\w*",
        puts=r"(?:أدخل|أضف|ضع|أدرج|اترك)\w*",
        gives=r"(?:كلمة\s+(?:المرور|السر)|رمز\s+التحقق|المفتاح\s+الخاص|رقم\s+البطاقة)\w*",
        asks=r"(?:اطلب|اسأل|أرسل|يرسل)\w*",
        forbids=r"(?:لا|تجنب|ممنوع|دون|أبدا)",
    ),
)  # fmt: skip
_NEAR = r"[\s\S]{0,160}?"
_JOINED = tuple(
    (
        lazy(rf"(?:{t.takes}|{t.asks}){_NEAR}(?:{_ADDRESS}{_NEAR})(?:{t.silent})|"
            rf"(?:{t.silent}){_NEAR}(?:{t.takes}){_NEAR}{_ADDRESS}|"
            rf"{_ADDRESS}{_NEAR}(?:{t.takes}){_NEAR}(?:{t.silent})", re.I),
        lazy(rf"(?:{t.puts})[^.!?。！？\n]{{0,40}}?(?:{t.flaw})|"
            rf"(?:{t.flaw})[^.!?。！？\n]{{0,24}}?(?:{t.puts})", re.I),
        lazy(rf"(?:{t.asks})[^.!?。！？\n]{{0,40}}?(?:{t.gives})[\s\S]{{0,120}}?(?:{_ADDRESS}|{t.silent})|"
            rf"(?:{t.gives})[^.!?。！？\n]{{0,80}}?(?:{t.asks})[\s\S]{{0,120}}?(?:{_ADDRESS}|{t.silent})", re.I),
        lazy(t.forbids, re.I),
        lazy(t.silent, re.I),
    )
    for t in _TONGUES
)  # fmt: skip
_OTHER = lazy(r"[^\x00-\x7f]|\b(?:del|und|nicht|para|pour|ne|non|het|een|utente|usuario|senha|wenn|niet)\b", re.I)
_OWN = lazy(
    r"instru[cçk]|anweis|anleit|prompt|\btexto?\b|指令|指示|提示|系统|系統|システム|プロンプト|프롬프트|"
    r"지시|시스템|промпт|инструкц|talimat|تعليمات|istruzion|"
    r"consigne|systeem|opdracht",
    re.I,
)
"""What every prompt may ask to be kept to itself: the prompt."""
_SOFTWARE = lazy(
    r"(?<![/\w.-])[a-z]{2,20}-[a-z]{2,20}(?![\w.])|\b(?:pip3?|npm|conda|cargo)\b|//(?:pip|pypi|pkgs?|"
    r"packages|npm|index|dl|download|get)\.|/simple\b|"
    r"\.(?:exe|msi|apk|dmg|sh|ps1|bat)\b",
    re.I,
)
"""Software by its name, or a place that gives it out."""
_LONGEST = 1 << 16


def foreign(text: str) -> str | None:
    """The part of a text in another language that orders something behind the reader's back, or None."""
    text = text[:_LONGEST]
    if _OTHER.search(text) is None:
        return None
    for joined, flawed, asked, forbids, silent in _JOINED:
        for found in joined.finditer(text):
            around = text[max(0, found.start() - 24) : found.end() + 40]
            if not _OWN.search(around) or _SOFTWARE.search(found.group()):
                return one_line(found.group(), 160)
        for found in flawed.finditer(text):
            before = silent.sub(" ", text[max(0, found.start() - 24) : found.end()])
            behind = silent.sub(" ", text[found.end() : found.end() + 80])[:12]
            if not forbids.search(before) and not forbids.search(behind):
                return one_line(found.group(), 160)
        for found in asked.finditer(text):
            if not forbids.search(text[max(0, found.start() - 16) : found.start()]):
                return one_line(found.group(), 160)
    return None
